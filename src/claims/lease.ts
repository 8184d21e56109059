import type { RedisConnection } from '../queue/connection.ts';

/**
 * How long a lease lasts without renewal. The lease is for speed only: two workers that serve one campaign at once are slow,
 * but correct, because every write of a round is guarded.
 */
const LEASE_MS = 2_000;
const RENEW_EVERY_MS = 500;
/** A claim that is not served is sent again long before. */
const FORWARDED_FOR_S = 3_600;

/**
 * Removes keys that are not as Baton writes them. A lease without an expiry would stop the claims of its campaign for ever,
 * and so would a key of another type.
 */
const REPAIR = `
    local function isA(key, kind) return redis.call('type', key).ok == kind end
    if not isA(KEYS[1], 'string') or redis.call('pttl', KEYS[1]) == -1 then redis.call('del', KEYS[1]) end
    if not isA(KEYS[2], 'list') then redis.call('del', KEYS[2]) end`;

/**
 * `KEYS[1]` is the lease; its value is the id of the coordinator that has it, which every script gets as `ARGV[1]`.
 * `KEYS[2]` is the list of forwarded claims. A script never changes the lease of another coordinator.
 */
const SCRIPTS = {
  /**
   * Acquires the lease and takes forwarded claims from the list, or forwards the claims to the coordinator that has the lease
   * and returns nil. One script does both, so that no claim is forwarded to a coordinator that has just released its lease. A
   * claim that is on the list already is not added again.
   */
  claimLeaseAcquireOrForward: `
    if redis.call('set', KEYS[1], ARGV[1], 'PX', ARGV[2], 'NX') then return redis.call('lpop', KEYS[2], ARGV[3]) or {} end
    for i = 4, #ARGV do
      if not redis.call('lpos', KEYS[2], ARGV[i]) then redis.call('rpush', KEYS[2], ARGV[i]) end
    end
    redis.call('expire', KEYS[2], ${FORWARDED_FOR_S})
    return false`,
  claimLeaseRenew: `
    if redis.call('get', KEYS[1]) ~= ARGV[1] then return 0 end
    return redis.call('pexpire', KEYS[1], ARGV[2])`,
  /** Renews the lease and takes forwarded claims from the list. Returns nil when the lease has expired. */
  claimLeaseRenewAndTake: `
    if redis.call('get', KEYS[1]) ~= ARGV[1] then return false end
    redis.call('pexpire', KEYS[1], ARGV[2])
    return redis.call('lpop', KEYS[2], ARGV[3]) or {}`,
  /** The same, but releases the lease and returns nil when no claim is on the list. */
  claimLeaseTakeOrRelease: `
    if redis.call('get', KEYS[1]) ~= ARGV[1] then return false end
    local taken = redis.call('lpop', KEYS[2], ARGV[3])
    if taken then redis.call('pexpire', KEYS[1], ARGV[2]) else redis.call('del', KEYS[1]) end
    return taken`,
  claimLeaseRelease: `
    if redis.call('get', KEYS[1]) ~= ARGV[1] then return 0 end
    return redis.call('del', KEYS[1])`,
} as const;

type Command = (...keysAndArguments: readonly (string | number)[]) => Promise<unknown>;

type LeaseCommands = Record<keyof typeof SCRIPTS, Command>;

/** Adds the scripts to a connection as commands. They are called by their hash, on one server and on a cluster alike. */
function withCommands(redis: RedisConnection): LeaseCommands {
  for (const [name, lua] of Object.entries(SCRIPTS))
    redis.defineCommand(name, { numberOfKeys: 2, lua: `${REPAIR}\n${lua}` });
  return redis as RedisConnection & LeaseCommands;
}

/** The leases of one coordinator. The coordinator with the lease of a campaign serves the claims of all workers there. */
export class Leases {
  private readonly commands: LeaseCommands;
  private readonly prefix: string;
  private readonly coordinatorId: string;

  constructor(redis: RedisConnection, prefix: string, coordinatorId: string) {
    this.commands = withCommands(redis);
    this.prefix = prefix;
    this.coordinatorId = coordinatorId;
  }

  of(campaignId: string): Lease {
    const keyOf = (name: string): string => `${this.prefix}:claims:${name}:${campaignId}`;
    return new Lease(this.commands, [keyOf('lease'), keyOf('forwarded'), this.coordinatorId]);
  }
}

export class Lease {
  private readonly commands: LeaseCommands;
  private readonly names: readonly [leaseKey: string, listKey: string, coordinatorId: string];

  constructor(commands: LeaseCommands, names: Lease['names']) {
    this.commands = commands;
    this.names = names;
  }

  /**
   * Acquires the lease and takes at most `max` forwarded claims. Returns `undefined` when another coordinator has the lease:
   * then `claims` were forwarded to it.
   */
  async acquireOrForward(max: number, claims: readonly string[]): Promise<readonly string[] | undefined> {
    return listOf(await this.commands.claimLeaseAcquireOrForward(...this.names, LEASE_MS, max, ...claims));
  }

  /** Renews the lease, however long a round takes, until the returned function is called. */
  keepRenewing(): () => void {
    const renew = (): Promise<unknown> => this.commands.claimLeaseRenew(...this.names, LEASE_MS);
    const renewing = setInterval(() => void renew().catch(() => undefined), RENEW_EVERY_MS);
    return () => clearInterval(renewing);
  }

  /** Takes at most `max` forwarded claims. Returns `undefined` when the lease has expired: another worker may have it. */
  async renewAndTake(max: number): Promise<readonly string[] | undefined> {
    return listOf(await this.commands.claimLeaseRenewAndTake(...this.names, LEASE_MS, max));
  }

  /**
   * Takes at most `max` forwarded claims, and releases the lease when there are none. Returns `undefined` when this coordinator
   * no longer has the lease.
   */
  async takeOrRelease(max: number): Promise<readonly string[] | undefined> {
    return listOf(await this.commands.claimLeaseTakeOrRelease(...this.names, LEASE_MS, max));
  }

  /** Forwarded claims that stay on the list are served by the next coordinator that acquires the lease. */
  async release(): Promise<void> {
    await this.commands.claimLeaseRelease(...this.names);
  }
}

/** A script that returns nil answers with `null`. */
function listOf(answer: unknown): readonly string[] | undefined {
  return (answer as string[] | null) ?? undefined;
}
