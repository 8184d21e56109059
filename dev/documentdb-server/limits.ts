/** The limits of the server. Sizes are in bytes and times in milliseconds, unless the name says otherwise. */

/** The values that MongoDB announces. Drivers split their batches accordingly. */
export const BSON_BYTES_MAX = 16 * 1024 * 1024;
export const MESSAGE_BYTES_MAX = 48_000_000;
export const WRITE_BATCH_MAX = 100_000;
export const SESSION_TIMEOUT_MINUTES = 30;
/** MongoDB 7.0, the last version without the server-side bulkWrite command, which this server does not support. */
export const WIRE_VERSION_MAX = 21;

/** Up to this size, copying bytes into one buffer is cheaper than a second write. */
export const COPY_BYTES_MAX = 32 * 1024;

/** An idle transaction is rolled back after this time (MongoDB: transactionLifetimeLimitSeconds). */
export const TRANSACTION_LIFETIME_MS = 60_000;
/** PostgreSQL checks for a deadlock after this wait. Its default is a second. */
export const DEADLOCK_CHECK_MS = 10;
/** The same in a transaction, where the server ends a wait for a document then. A millisecond is the minimum. */
export const TRANSACTION_DEADLOCK_CHECK_MS = 1;

/** A snapshot that no read uses is closed after this time. MongoDB keeps its history for five minutes. */
export const SNAPSHOT_IDLE_MS = 10_000;
/** Each snapshot occupies a PostgreSQL connection. Another one closes the least recently used. */
export const SNAPSHOTS_MAX = 10;

/** An idle cursor is closed after this time (MongoDB: cursorTimeoutMillis). */
export const CURSOR_IDLE_MS = 600_000;
export const CURSORS_MAX = 10_000;
/** The interval between two checks for idle transactions and cursors. */
export const IDLE_CHECK_EVERY_MS = 1_000;

/** Outside transactions, MongoDB retries write conflicts without a limit; this server retries for several minutes. */
export const CONFLICT_RETRIES_MAX = 2_000;
export const CONFLICT_BACKOFF_FIRST_MS = 2;
export const CONFLICT_BACKOFF_MAX_MS = 200;

/** The number of sessions whose last commit can be repeated. */
export const SESSIONS_MAX = 10_000;
/** A write can be repeated at least for this time (MongoDB: localLogicalSessionTimeoutMinutes). */
export const RETRYABLE_WRITE_MINUTES = 30;

/** The share of the PostgreSQL connections that is reserved for transactions. */
export const TRANSACTION_CONNECTIONS_SHARE = 0.6;
/** The time that a command waits for a free PostgreSQL connection. */
export const POOL_WAIT_MS = 30_000;
export const CONNECT_TIMEOUT_MS = 10_000;
export const CONNECT_RETRY_MS = 100;
/** The time that `close` waits for running statements before it ends their connections. */
export const STOP_GRACE_MS = 2_000;
/** With more unprocessed messages than this, the server stops reading the client's socket. */
export const PENDING_MESSAGES_MAX = 64;
/** The longest wait that a driver's monitor can request with an awaitable hello. */
export const HELLO_AWAIT_MAX_MS = 60_000;
