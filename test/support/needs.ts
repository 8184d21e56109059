import { describe, it, type TestOptions } from 'vitest';
import { areOwnServicesPossible, isOwnDatabasePossible, isOwnRedisPossible } from './own-services.ts';
import { SKIPPED_BECAUSE } from './skipped-tests.ts';

/** What a test needs beside the MongoDB and the Redis of the environment. */
export interface Need {
  /** Names it in the title of a skipped test. */
  readonly what: string;
  readonly isMet: boolean;
}

/** For tests that kill, freeze or configure servers, which they may do only to their own. */
export const OWN_REDIS: Need = { what: 'needs a private Redis of its own', isMet: isOwnRedisPossible };
export const OWN_DATABASE: Need = { what: 'needs a private database of its own', isMet: isOwnDatabasePossible };
export const OWN_SERVERS: Need = { what: 'needs private servers of its own', isMet: areOwnServicesPossible };

/** For tests that start the development database server on the PostgreSQL that `dev/services` has started. */
export const DEVELOPMENT_SERVER: Need = {
  what: 'needs the development database server',
  isMet: (process.env['BATON_DEV_POSTGRES'] ?? '') !== '',
};

/** For tests that open a socket to MongoDB by themselves, or put a proxy before it. */
export const PLAIN_MONGODB: Need = {
  what: 'needs a MONGODB_URI of one server without user and TLS',
  isMet: isPlainMongodb(process.env['MONGODB_URI'] ?? ''),
};

/** For tests that put a proxy before Redis. */
export const PLAIN_REDIS: Need = {
  what: 'needs a REDIS_URL without TLS',
  isMet: (process.env['REDIS_URL'] ?? '').startsWith('redis:'),
};

export const PLAIN_ADDRESSES: Need = {
  what: 'needs a MONGODB_URI of one server without user and TLS, and a REDIS_URL without TLS',
  isMet: PLAIN_MONGODB.isMet && PLAIN_REDIS.isMet,
};

export const LINUX: Need = { what: 'needs Linux', isMet: process.platform === 'linux' };

export function isPlainMongodb(uri: string): boolean {
  return /^mongodb:\/\/[^@,/?]+(?:[/?]|$)/.test(uri) && !/[?&](?:tls|ssl)=true/i.test(uri);
}

type Declare<Body> = (title: string, ...rest: [body: Body] | [options: TestOptions, body: Body]) => void;

/** Like `describe`. Where the need is not met, the tests are skipped, and the title says why. */
export function describeWith(need: Need): Declare<() => void> {
  return (title, ...rest) => {
    const [options, body] = rest.length === 1 ? [{}, rest[0]] : rest;
    describe.runIf(need.isMet)(titleWith(need, title), options, body);
  };
}

/** Like `it`. Where the need is not met, the test is skipped, and the title says why. */
export function itWith(need: Need): Declare<() => Promise<void> | void> {
  return (title, ...rest) => {
    const [options, body] = rest.length === 1 ? [{}, rest[0]] : rest;
    it.runIf(need.isMet)(titleWith(need, title), options, body);
  };
}

function titleWith({ what, isMet }: Need, title: string): string {
  return isMet ? title : `${title}${SKIPPED_BECAUSE}${what}]`;
}
