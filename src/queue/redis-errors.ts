import { errorText } from '../domain/safe-text.ts';

/** What an error of Redis, or of the connection to it, means. */
export interface RedisErrorMeaning {
  /** What is wrong and what to do. */
  readonly words: string;
  /** True for an error that stays until somebody changes a setting. */
  readonly isPermanent: boolean;
}

/** What a node of a cluster says about itself. */
export const MODE_OF_CLUSTER = 'redis_mode:cluster';

/** A replica refuses a write, and ends the waits that it had as a primary. */
const FROM_REPLICA = /\bREADONLY\b|^UNBLOCKED/;

type Known = readonly [pattern: RegExp, words: string];

/** Other words of an error of Redis may contain keys, so only the pattern is used. */
const PERMANENT: readonly Known[] = [
  [
    new RegExp(`^MOVED|^ASK|^${MODE_OF_CLUSTER}`),
    'this is one node of a cluster: give the addresses of several nodes, separated by commas, or one address twice',
  ],
  [/CROSSSLOT/, 'this is a cluster: put BATON_QUEUE_PREFIX in braces, such as {baton}'],
  [/WRONGPASS|invalid password/, 'Redis refuses the user name or the password in REDIS_URL: correct them'],
  [/NOAUTH/, 'Redis needs a password: add it to REDIS_URL'],
  [/NOPERM/, 'the user lacks the right: see the smallest set of rights in docs/rights.md'],
];

const PASSING: readonly Known[] = [
  [/^OOM/, 'Redis has no memory left: raise maxmemory, or delete keys of other programs'],
  [FROM_REPLICA, 'this Redis is a replica: wait for the failover, or give the address of the primary'],
  [/^LOADING|^MASTERDOWN|CLUSTERDOWN/, 'Redis is starting or has no primary: wait'],
  [/^MISCONF/, 'Redis cannot save to its disk and refuses writes: see the log of Redis'],
  [
    /self-signed certificate|unable to (get|verify)/,
    'the certificate of Redis is of an unknown authority: set NODE_EXTRA_CA_CERTS to the file of its certificates',
  ],
  [
    /does not match certificate's altnames/,
    'the certificate of Redis is for another name: use that name in the address',
  ],
  [/certificate has expired/, 'the certificate of Redis has expired: renew it'],
  [/cluster support disabled/, 'this is no cluster: give one address'],
  [
    /Unknown RESP type/,
    'what answers at this address is no Redis, or wants TLS: check host and port, and use rediss:// for TLS',
  ],
  [/wrong version number/, 'what answers at this address has no TLS: use redis:// in place of rediss://'],
  // The text of the client. An address that the system cannot reach is named in the text.
  [
    /^connect ETIMEDOUT$/,
    'nothing answered as Redis in time: check host and port, and use rediss:// only for a Redis with TLS',
  ],
  [/Socket timeout/, 'Redis was silent although an answer was due: Baton connects again'],
];

/** Returns `undefined` for an error without a known meaning. */
export function meaningOf(error: unknown): RedisErrorMeaning | undefined {
  const text = error instanceof Error ? error.message : '';
  const find = (known: readonly Known[]): string | undefined => known.find(([pattern]) => pattern.test(text))?.[1];
  const permanent = find(PERMANENT);
  const words = permanent ?? find(PASSING);
  return words === undefined ? undefined : { words, isPermanent: permanent !== undefined };
}

/** Returns true for the error of a command whose key has another type: another program has written it, or it is damaged. */
export function isWrongType(error: unknown): boolean {
  return error instanceof Error && error.message.startsWith('WRONGTYPE');
}

/** Returns true when a primary has become a replica: the address may lead to another Redis by now. */
export function isFromReplica(error: unknown): boolean {
  return error instanceof Error && FROM_REPLICA.test(error.message);
}

/** The texts of the client for a command that met a broken or replaced connection. */
const LOST = /^Connection is closed|^Stream isn't writeable|^Cluster isn't ready|^Socket timeout|ECONNRESET|EPIPE/;

/** Returns true when the same command may succeed over a new connection. */
export function isConnectionLost(error: unknown): boolean {
  return isFromReplica(error) || (error instanceof Error && (LOST.test(error.message) || isTimeout(error)));
}

function isTimeout({ message, name }: Error): boolean {
  return message === 'Command timed out' || name === 'MaxRetriesPerRequestError';
}

const UNREACHABLE_CODES: readonly unknown[] = [
  'ECONNREFUSED',
  'ECONNRESET',
  'EAI_AGAIN',
  'EHOSTUNREACH',
  'ENETUNREACH',
  'ENOTFOUND',
  'EPIPE',
  'ETIMEDOUT',
];

/**
 * Returns true for an error that passes: Redis cannot be reached, or refuses commands for now. A refused connection to a name
 * with several addresses is an AggregateError.
 */
export function isRedisAway(error: unknown): boolean {
  if (error instanceof AggregateError && error.errors.some(isRedisAway)) return true;
  const { code } = (error ?? {}) as { readonly code?: unknown };
  return isConnectionLost(error) || meaningOf(error)?.isPermanent === false || UNREACHABLE_CODES.includes(code);
}

/** Describes an error for people: its own text, and what it means. */
export function explained(error: unknown): string {
  const meaning = meaningOf(error);
  return meaning === undefined ? errorText(error) : `${errorText(error)} (${meaning.words})`;
}
