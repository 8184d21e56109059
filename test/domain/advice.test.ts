import { expect, it } from 'vitest';
import { errorWithAdvice, fileErrorInWords, queueErrorWithAdvice } from '../../src/domain/advice.ts';

function errorOf(name: string, message: string): Error {
  return Object.assign(new Error(message), { name });
}

const START_UP_FAILURES: readonly (readonly [what: string, name: string, message: string, advice: string])[] = [
  [
    'a refused connection',
    'MongooseServerSelectionError',
    'connect ECONNREFUSED 127.0.0.1:1',
    'start MongoDB, or correct',
  ],
  [
    'an unknown host',
    'MongoServerSelectionError',
    'getaddrinfo ENOTFOUND db.invalid',
    'correct the host in MONGODB_URI',
  ],
  [
    'a wrong password',
    'MongoServerError',
    'Authentication failed.',
    'correct the user name and the password in MONGODB_URI',
  ],
  ['no password', 'MongoServerError', 'command find requires authentication', 'see docs/rights.md'],
  ['a missing right', 'MongoServerError', 'not authorized on baton to execute command', 'see docs/rights.md'],
  ['a silent server', 'MongoServerSelectionError', 'Server selection timed out after 5000 ms', 'may connect to it'],
  [
    'a port in use',
    'Error',
    'listen EADDRINUSE: address already in use 127.0.0.1:80',
    'set BATON_HTTP_PORT to another port',
  ],
  ['a port without the right', 'Error', 'listen EACCES: permission denied 0.0.0.0:80', 'a port above 1023'],
  ['a foreign address', 'Error', 'listen EADDRNOTAVAIL: address not available', 'set BATON_HTTP_HOST'],
  ['a full disk', 'Error', 'ENOSPC: no space left on device, write', 'free some space'],
];

it.each(START_UP_FAILURES)('the line about %s says what to do', (_what, name, message, advice) => {
  const line = errorWithAdvice(errorOf(name, message));
  expect(line).toContain(message.replace(/\.$/, ''));
  expect(line).toContain(advice);
  expect(line).not.toContain('\n');
});

it('the line about an unreachable queue names the variable', () => {
  const error = errorOf('QueueUnavailable', 'Redis did not confirm the request: connect ECONNREFUSED 127.0.0.1:1');
  expect(queueErrorWithAdvice(error)).toBe(`${error.message}; start Redis, or correct REDIS_URL`);
});

it('an error of a file is said in words, and an unknown one by its code', () => {
  expect(fileErrorInWords('ENOENT')).toBe('it or its folder does not exist');
  expect(fileErrorInWords('EXYZ')).toBe('EXYZ');
});
