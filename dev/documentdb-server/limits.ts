/** Every bound the wire front keeps. Sizes in bytes, times in milliseconds, unless the name says otherwise. */

/** What MongoDB itself announces; drivers split their batches by these. */
export const BSON_BYTES_MAX = 16 * 1024 * 1024;
export const MESSAGE_BYTES_MAX = 48_000_000;
export const WRITE_BATCH_MAX = 100_000;
export const SESSION_TIMEOUT_MINUTES = 30;
/** MongoDB 7.0: the newest protocol without the server-side bulkWrite command, which the front does not speak. */
export const WIRE_VERSION_MAX = 21;

/** Bytes up to this many are copied into one buffer; larger ones are written as they are. */
export const COPY_BYTES_MAX = 32 * 1024;

/** An idle transaction is rolled back after this, as MongoDB's transactionLifetimeLimitSeconds does. */
export const TRANSACTION_LIFETIME_MS = 60_000;
/**
 * How long a write inside a transaction waits for another writer's row. MongoDB does not wait at all; PostgreSQL's
 * repeatable read would refuse the row after the wait anyhow, so a long wait only feeds deadlocks.
 */
export const TRANSACTION_LOCK_WAIT_MS = 50;
/** PostgreSQL looks for a deadlock only after this wait; its own default is a whole second. */
export const DEADLOCK_CHECK_MS = 10;

/** A cursor nobody asks for more is closed after this, as MongoDB's cursorTimeoutMillis does. */
export const CURSOR_IDLE_MS = 600_000;
export const CURSORS_MAX = 10_000;
/** How often idle transactions and cursors are looked for. */
export const SWEEP_EVERY_MS = 1_000;

/** Outside a transaction MongoDB retries a write conflict by itself; so does the front, this many times. */
export const CONFLICT_RETRIES_MAX = 20;
export const CONFLICT_BACKOFF_FIRST_MS = 2;
export const CONFLICT_BACKOFF_MAX_MS = 200;

/** Sessions remembered for re-sent commits and writes; the longest unused one is forgotten first. */
export const SESSIONS_MAX = 10_000;
/** An answer larger than this is not kept for a re-sent write. */
export const REMEMBERED_ANSWER_BYTES_MAX = 64 * 1024;

/** The part of the connections to PostgreSQL that only transactions use. */
export const TRANSACTION_CONNECTIONS_SHARE = 0.6;
/** How long a command waits for a free PostgreSQL connection, and how long opening one may take. */
export const POOL_WAIT_MS = 30_000;
export const CONNECT_MS = 10_000;
/** Between two attempts to open a connection while somebody waits for one. */
export const CONNECT_RETRY_MS = 100;
/** How long a clean stop waits for what is running before it cuts it off. */
export const STOP_GRACE_MS = 2_000;
/** Messages a client may have sent ahead before its socket is read no further. */
export const INBOX_MAX = 64;
/** The longest wait the monitor may ask of an awaitable hello. */
export const HELLO_AWAIT_MAX_MS = 60_000;
