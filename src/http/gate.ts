import { keyVersionKey } from '../access/index.ts';
import type { RedisConnection } from '../queue/connection.ts';

const WINDOW_MS = 60_000;

/**
 * Counts a request and reads the version of the keys, in one round trip. A counter without an expiry, which another program
 * could leave, gets a new one.
 */
const PASS = `
  local version = redis.call('get', KEYS[2]) or ''
  local count = redis.call('incr', KEYS[1])
  local left = redis.call('pttl', KEYS[1])
  if left < 0 then
    redis.call('pexpire', KEYS[1], ARGV[1])
    left = tonumber(ARGV[1])
  end
  return { count, left, version }`;

const rateKey = (prefix: string, caller: string): string => `${prefix}:http:rate:${caller}`;

/** One request of a caller, counted. */
export interface Passed {
  /** The requests of the caller in this minute, this one included. */
  readonly count: number;
  readonly leftMs: number;
  /** Changes with every revoked key. A server that has seen another one must read the keys again. */
  readonly version: string;
}

/** What all servers share in Redis: the counters of requests, and the version of the keys. */
export class Gate {
  private readonly redis: RedisConnection;
  private readonly prefix: string;

  constructor(redis: RedisConnection, prefix: string) {
    this.redis = redis;
    this.prefix = prefix;
  }

  async pass(caller: string): Promise<Passed> {
    const keys = [rateKey(this.prefix, caller), keyVersionKey(this.prefix)];
    const answer = await this.redis.eval(PASS, keys.length, ...keys, WINDOW_MS);
    const [count, leftMs, version] = answer as [number, number, string];
    return { count, leftMs, version };
  }

  async version(): Promise<string> {
    return (await this.redis.get(keyVersionKey(this.prefix))) ?? '';
  }
}
