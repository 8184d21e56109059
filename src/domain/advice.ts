import { errorText } from './safe-text.ts';

type Advice = readonly [pattern: RegExp, words: string];

/** By the code or the text of an error. The first that matches is used. */
const MONGODB: readonly Advice[] = [
  [
    /Authentication failed|auth\w* fail|bad auth/i,
    'correct the user name and the password in MONGODB_URI, or its authSource',
  ],
  [/requires authentication|not authorized|Unauthorized/i, 'the user in MONGODB_URI lacks a right: see docs/rights.md'],
  [/ECONNREFUSED/, 'start MongoDB, or correct MONGODB_URI'],
  [/ENOTFOUND|EAI_AGAIN|ESERVFAIL|ENODATA/, 'correct the host in MONGODB_URI'],
  [/certificate|TLS|SSL/i, 'correct tls in MONGODB_URI, or set NODE_EXTRA_CA_CERTS to the file of its certificates'],
  [/setName|replica ?set/i, 'correct replicaSet in MONGODB_URI'],
  [
    /timed out|ETIMEDOUT|EHOSTUNREACH|ENETUNREACH|ECONNRESET/,
    'check MONGODB_URI, and that this machine may connect to it',
  ],
];

const REDIS: readonly Advice[] = [
  [/ECONNREFUSED/, 'start Redis, or correct REDIS_URL'],
  [/ENOTFOUND|EAI_AGAIN/, 'correct the host in REDIS_URL'],
  [/timed out|ETIMEDOUT|EHOSTUNREACH|ENETUNREACH/, 'check REDIS_URL, and that this machine may connect to it'],
];

const SYSTEM: readonly Advice[] = [
  [/EADDRINUSE/, 'stop the program that uses it, or set BATON_HTTP_PORT to another port'],
  [/EADDRNOTAVAIL/, 'set BATON_HTTP_HOST to an address of this machine'],
  [/listen EACCES/, 'set BATON_HTTP_PORT to a port above 1023'],
  [/ENOSPC|EDQUOT/, 'the disk is full: free some space'],
  [/EROFS/, 'the file system is read-only: use another folder'],
];

/** Returns one line that says where an error comes from, what it is, and what to do where that is known. */
export function errorWithAdvice(error: unknown): string {
  const name = error instanceof Error ? error.name : '';
  // The message of a client says what failed, and not always where.
  if (/^Mongo/.test(name)) return `MongoDB (MONGODB_URI): ${withAdvice(error, MONGODB)}`;
  if (name === 'ReplyError') return `Redis (REDIS_URL): ${withAdvice(error, REDIS)}`;
  return withAdvice(error, SYSTEM);
}

/** The same for the error of a producer, which says that Redis is meant. */
export function queueErrorWithAdvice(error: Error): string {
  return withAdvice(error, REDIS);
}

function withAdvice(error: unknown, advice: readonly Advice[]): string {
  const text = errorText(error).replace(/[.\s]+$/, '');
  const words = advice.find(([pattern]) => pattern.test(text))?.[1];
  return words === undefined ? text : `${text}; ${words}`;
}

const FILE_ERRORS: ReadonlyMap<string, string> = new Map([
  ['ENOENT', 'it or its folder does not exist'],
  ['EACCES', 'this user has no right to it'],
  ['EPERM', 'this user has no right to it'],
  ['EISDIR', 'it is a folder'],
  ['ENOTDIR', 'a part of its path is no folder'],
  ['EEXIST', 'it exists already'],
  ['ENOSPC', 'the disk is full'],
  ['EDQUOT', 'the disk is full'],
  ['EROFS', 'the file system is read-only'],
]);

/** Returns what the code of an error with a file means, or the code. */
export function fileErrorInWords(code: string): string {
  return FILE_ERRORS.get(code) ?? code;
}
