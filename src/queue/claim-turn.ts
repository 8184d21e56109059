import type { RedisConnection } from './connection.ts';

/**
 * How long a turn lasts when its holder is heard of no more. For speed only: should two hold it at once, they are slow,
 * not wrong, since every write of a round is guarded.
 */
const TURN_MS = 2_000;
/** How often a holder in a long round says that it is still there. */
const KEEP_EVERY_MS = 500;

/** Prolongs the turn only if it is still one's own. */
const KEEP = `if redis.call('get', KEYS[1]) == ARGV[1] then return redis.call('pexpire', KEYS[1], ARGV[2]) else return 0 end`;

/** Gives the turn back only if it is still one's own. */
const RELEASE = `if redis.call('get', KEYS[1]) == ARGV[1] then return redis.call('del', KEYS[1]) else return 0 end`;

/** One campaign's claims as all workers share them: whose turn it is to serve, and those handed over to whoever that is. */
export class ClaimTurn {
  private readonly redis: RedisConnection;
  private readonly turnKey: string;
  private readonly listKey: string;
  private readonly holder: string;

  constructor(redis: RedisConnection, prefix: string, campaignId: string, holder: string) {
    this.redis = redis;
    this.holder = holder;
    this.turnKey = `${prefix}:claims:turn:${campaignId}`;
    this.listKey = `${prefix}:claims:handed:${campaignId}`;
  }

  async take(): Promise<boolean> {
    return (await this.redis.set(this.turnKey, this.holder, 'PX', TURN_MS, 'NX')) === 'OK';
  }

  /** False when a round took so long that the turn ran out: another may have it by now. */
  async keep(): Promise<boolean> {
    return (await this.redis.eval(KEEP, 1, this.turnKey, this.holder, TURN_MS)) === 1;
  }

  /** Keeps the turn, however long a round takes, until the returned function is called. */
  keepWhile(): () => void {
    const keeping = setInterval(() => void this.keep().catch(() => undefined), KEEP_EVERY_MS);
    return () => clearInterval(keeping);
  }

  async release(): Promise<void> {
    await this.redis.eval(RELEASE, 1, this.turnKey, this.holder);
  }

  async handOver(items: readonly string[]): Promise<void> {
    if (items.length > 0) await this.redis.rpush(this.listKey, ...items);
  }

  async takeHanded(max: number): Promise<string[]> {
    return (await this.redis.lpop(this.listKey, max)) ?? [];
  }

  async hasHanded(): Promise<boolean> {
    return (await this.redis.llen(this.listKey)) > 0;
  }
}
