import type { RedisConnection } from '../queue/connection.ts';

/**
 * How long a turn lasts when its assignee is heard of no more. For speed only: should two hold it at once, they are slow,
 * not wrong, since every write of a round is guarded.
 */
const LEASE_MS = 2_000;
/** How often a assignee in a long round says that it is still there. */
const KEEP_EVERY_MS = 500;

/** Prolongs the turn only if it is still one's own. */
const KEEP = `if redis.call('get', KEYS[1]) == ARGV[1] then return redis.call('pexpire', KEYS[1], ARGV[2]) else return 0 end`;

/**
 * Takes the turn, or hands over to whoever has it: in one step, so that nobody hands over to one who has just left. What
 * still lies there, forwarded over before, is not laid there again.
 */
const ACQUIRE_OR_FORWARD = `if redis.call('set', KEYS[1], ARGV[1], 'PX', ARGV[2], 'NX') then return 1 end
  for i = 3, #ARGV do
    if not redis.call('lpos', KEYS[2], ARGV[i]) then redis.call('rpush', KEYS[2], ARGV[i]) end
  end
  return 0`;

/** Prolongs the turn, and takes what was forwarded over, only if it is still one's own. */
const KEEP_AND_TAKE = `if redis.call('get', KEYS[1]) ~= ARGV[1] then return false end
  redis.call('pexpire', KEYS[1], ARGV[2])
  return redis.call('lpop', KEYS[2], ARGV[3]) or {}`;

/** Gives the turn back if it is still one's own, and nothing was forwarded over meanwhile. 0: there is more to do. */
const LEAVE = `if redis.call('get', KEYS[1]) ~= ARGV[1] then return 1 end
  if redis.call('llen', KEYS[2]) > 0 then return 0 end
  return redis.call('del', KEYS[1])`;

/** Gives the turn back only if it is still one's own. */
const RELEASE = `if redis.call('get', KEYS[1]) == ARGV[1] then return redis.call('del', KEYS[1]) else return 0 end`;

/** One campaign's claims as all workers share them: whose turn it is to serve, and those forwarded over to whoever that is. */
export class Lease {
  private readonly redis: RedisConnection;
  private readonly leaseKey: string;
  private readonly listKey: string;
  private readonly assignee: string;

  constructor(redis: RedisConnection, prefix: string, campaignId: string, assignee: string) {
    this.redis = redis;
    this.assignee = assignee;
    this.leaseKey = `${prefix}:claims:lease:${campaignId}`;
    this.listKey = `${prefix}:claims:forwarded:${campaignId}`;
  }

  /** True: the turn is one's own now, and `items` are still to be served. False: whoever has it serves them. */
  async acquireOrForward(items: readonly string[]): Promise<boolean> {
    const args = [this.assignee, LEASE_MS, ...items];
    return (await this.redis.eval(ACQUIRE_OR_FORWARD, 2, this.leaseKey, this.listKey, ...args)) === 1;
  }

  /** Keeps the turn, however long a round takes, until the returned function is called. */
  keepWhile(): () => void {
    const keep = (): Promise<unknown> => this.redis.eval(KEEP, 1, this.leaseKey, this.assignee, LEASE_MS);
    const keeping = setInterval(() => void keep().catch(() => undefined), KEEP_EVERY_MS);
    return () => clearInterval(keeping);
  }

  /** The first that were forwarded over. `undefined` when the turn has run out: another may have it by now. */
  async keepAndTake(max: number): Promise<readonly string[] | undefined> {
    const args = [this.assignee, LEASE_MS, max];
    const taken = (await this.redis.eval(KEEP_AND_TAKE, 2, this.leaseKey, this.listKey, ...args)) as string[] | null;
    return taken ?? undefined;
  }

  /** False when something was forwarded over meanwhile: the turn is kept, to serve it. */
  async leave(): Promise<boolean> {
    return (await this.redis.eval(LEAVE, 2, this.leaseKey, this.listKey, this.assignee)) === 1;
  }

  /** Whatever was forwarded over and not served is brought again by those who wait for it. */
  async release(): Promise<void> {
    await this.redis.eval(RELEASE, 1, this.leaseKey, this.assignee);
  }
}
