import { randomBytes } from 'node:crypto';
import { setImmediate as nextMacrotask } from 'node:timers/promises';
import { afterEach, beforeEach, vi } from 'vitest';
import { newClaim, type Claim } from '../../src/claims/claim.ts';
import type { ClaimCommand, ServedClaim } from '../../src/claims/contract.ts';
import { ClaimCoordinator } from '../../src/claims/coordinator.ts';
import type { Round } from '../../src/claims/ports.ts';
import { connectWorker, type RedisConnection } from '../../src/queue/connection.ts';
import { testConfig } from './harness.ts';
import { until } from './until.ts';

const HOUR_MS = 3_600_000;

/** After this long without a reply, a coordinator adds a claim again. */
export const REPEATED_AFTER_MS = 3_000;

/** One call of `serve`. */
export interface ServedRound {
  readonly coordinator: Coordinator;
  readonly campaignId: string;
  readonly operationIds: readonly string[];
}

type Intercept = (command: string, call: () => Promise<unknown>) => Promise<unknown>;

/** Coordinators on a real Redis. A list in memory replaces the database, and a test decides how long a round takes. */
export class Coordinators {
  readonly rounds: ServedRound[] = [];
  /** How many rounds began while another round of the same campaign was running. */
  overlaps = 0;
  /** How many claims one round serves at most. */
  servedMax = Infinity;
  /** Called in the middle of each round. */
  during: (round: ServedRound) => Promise<void> = () => Promise.resolve();
  private readonly redisUrl: string;
  private readonly prefix = `{coordinators_${randomBytes(6).toString('hex')}}`;
  private readonly stored = new Map<string, Claim>();
  private readonly running = new Map<string, number>();
  private readonly coordinators: Coordinator[] = [];
  private claims = 0;

  constructor(redisUrl: string) {
    this.redisUrl = redisUrl;
  }

  async open(redisUrl = this.redisUrl): Promise<Coordinator> {
    const coordinator = new Coordinator(redisUrl, this.prefix, (by, campaignId, commands) =>
      this.serve(by, campaignId, commands),
    );
    this.coordinators.push(coordinator);
    await coordinator.open();
    return coordinator;
  }

  newClaim(campaignId: string): ClaimCommand {
    this.claims += 1;
    const operationId = `claim_${this.claims}`;
    const request = { kind: 'self-assign', operationId, campaignId, texterId: 't1' } as const;
    return { request, requestHash: 'hash', sendId: 'sender' };
  }

  newClaims(campaignId: string, count: number): ClaimCommand[] {
    return Array.from({ length: count }, () => this.newClaim(campaignId));
  }

  /** The conversations that the stored claim was granted. */
  granted(operationId: string): readonly string[] | undefined {
    return this.stored.get(operationId)?.granted;
  }

  /** How many rounds a claim was part of. */
  roundCount(operationId: string): number {
    return this.rounds.filter(({ operationIds }) => operationIds.includes(operationId)).length;
  }

  /** Pauses each round of the coordinators that `which` selects in its middle, until `resume` is called. */
  pauseRounds(which: (coordinator: Coordinator) => boolean = () => true): { resume: () => void } {
    let resume: () => void = () => undefined;
    const gate = new Promise<void>((resolve) => (resume = resolve));
    this.during = ({ coordinator }) => (which(coordinator) ? gate : Promise.resolve());
    return { resume };
  }

  /** Resolves in the middle of a paused round with this claim. */
  async roundWith({ request }: ClaimCommand): Promise<void> {
    await until(`a round with ${request.operationId}`, () => this.roundCount(request.operationId) > 0);
    await this.keepLeases();
  }

  expireLeases(): Promise<unknown> {
    return this.withKeys(':claims:lease:', (redis, keys) => redis.del(...keys));
  }

  /** Keeps every lease from expiring, however slow the machine is. */
  keepLeases(): Promise<unknown> {
    return this.withKeys(':claims:lease:', (redis, keys) =>
      Promise.all(keys.map((key) => redis.pexpire(key, HOUR_MS))),
    );
  }

  /** Publishes a text on the channels of all coordinators, as another program could. */
  publishToAll(text: string): Promise<unknown> {
    return this.withRedis(async (redis) => {
      const channels = (await redis.pubsub('CHANNELS', `${this.prefix}*`)) as string[];
      await Promise.all(channels.map((channel) => redis.publish(channel, text)));
    });
  }

  /** Adds texts to the list of forwarded claims, as another program could. */
  addForwarded(campaignId: string, texts: readonly string[]): Promise<unknown> {
    return this.withRedis((redis) => redis.rpush(`${this.prefix}:claims:forwarded:${campaignId}`, ...texts));
  }

  async close(): Promise<void> {
    for (const coordinator of this.coordinators) coordinator.die();
    await this.withKeys('', (redis, keys) => redis.del(...keys));
  }

  private withKeys(
    under: string,
    act: (redis: RedisConnection, keys: readonly string[]) => Promise<unknown>,
  ): Promise<void> {
    return this.withRedis(async (redis) => {
      const keys = await redis.keys(`${this.prefix}${under}*`);
      if (keys.length > 0) await act(redis, keys);
    });
  }

  private async withRedis(act: (redis: RedisConnection) => Promise<unknown>): Promise<void> {
    const redis = connectWorker(this.redisUrl, () => undefined);
    await act(redis);
    await redis.quit();
  }

  private async serve(coordinator: Coordinator, campaignId: string, commands: readonly ClaimCommand[]): Promise<Round> {
    const round = { coordinator, campaignId, operationIds: commands.map(({ request }) => request.operationId) };
    this.rounds.push(round);
    const others = this.running.get(campaignId) ?? 0;
    if (others > 0) this.overlaps += 1;
    this.running.set(campaignId, others + 1);
    try {
      await this.during(round);
      return {
        answered: commands.slice(0, this.servedMax).map((command) => this.store(command)),
        completed: [],
        replaced: [],
        granted: [],
        hasBlocked: false,
        servedAllWaiting: commands.length <= this.servedMax,
        isBesideOperation: false,
      };
    } finally {
      this.running.set(campaignId, (this.running.get(campaignId) ?? 1) - 1);
    }
  }

  private store(command: ClaimCommand): Claim {
    const { operationId } = command.request;
    const known = this.stored.get(operationId);
    if (known) return known;
    const granted = [`conversation ${this.stored.size + 1}`];
    const claim: Claim = { ...newClaim(command, new Date()), granted, state: 'done', endedAt: new Date() };
    this.stored.set(operationId, claim);
    return claim;
  }
}

type Serve = (coordinator: Coordinator, campaignId: string, commands: readonly ClaimCommand[]) => Promise<Round>;

/** A coordinator whose commands to Redis a test can intercept. */
export class Coordinator {
  /** Called instead of each command to Redis. */
  intercept: Intercept = (_command, call) => call();
  /** The messages of the errors that it reported. */
  readonly errors: string[] = [];
  private readonly coordinator: ClaimCoordinator;
  private readonly redis: RedisConnection;
  private readonly subscriber: RedisConnection;
  private busyCount = 0;

  constructor(redisUrl: string, prefix: string, serve: Serve) {
    this.redis = connectWorker(redisUrl, () => undefined);
    this.subscriber = connectWorker(redisUrl, () => undefined);
    this.coordinator = new ClaimCoordinator({
      redis: this.interceptedRedis(),
      subscriber: this.subscriber,
      prefix,
      serve: (campaignId, commands) => this.whileBusy(() => serve(this, campaignId, commands)),
      onEnded: () => undefined,
      onBlocked: () => undefined,
      onError: (error) => this.errors.push(error.message),
    });
  }

  async open(): Promise<void> {
    await this.coordinator.open();
  }

  submit(command: ClaimCommand): Promise<ServedClaim> {
    return this.coordinator.submit(command);
  }

  serveWaiting(campaignId: string): Promise<void> {
    return this.coordinator.serveWaiting(campaignId);
  }

  /** Resolves when it waits for nothing but replies. */
  async idle(): Promise<void> {
    for (let quiet = 0; quiet < 3; quiet = this.busyCount === 0 ? quiet + 1 : 0) await nextMacrotask();
  }

  /** Disconnects it from Redis, as the death of its process would. */
  die(): void {
    this.redis.disconnect();
    this.subscriber.disconnect();
  }

  private interceptedRedis(): RedisConnection {
    return new Proxy(this.redis, {
      get: (redis, key): unknown => {
        const member: unknown = Reflect.get(redis, key);
        // Defining a command sends nothing.
        if (typeof member !== 'function' || key === 'defineCommand') return member;
        return (...args: unknown[]): unknown =>
          this.whileBusy(() =>
            this.intercept(String(key), () => Reflect.apply(member, redis, args) as Promise<unknown>),
          );
      },
    });
  }

  private async whileBusy<Result>(work: () => Promise<Result>): Promise<Result> {
    this.busyCount += 1;
    try {
      return await work();
    } finally {
      this.busyCount -= 1;
    }
  }
}

/** Resolves with all replies. Throws the first failure, or when the replies take too long. */
export async function allReplies<Reply>(submitted: readonly Promise<Reply>[]): Promise<Reply[]> {
  let replies: Reply[] | undefined;
  let failure: unknown;
  Promise.all(submitted).then(
    (all) => (replies = all),
    (error: unknown) => (failure = error ?? 'rejected'),
  );
  await until(`${submitted.length} replies`, () => replies ?? failure, 10_000);
  if (!replies) throw failure;
  return replies;
}

/** Opens three new coordinators for each test. Their timers run only when a test advances them. */
export function threeCoordinators(): Record<'one' | 'two' | 'three', () => Coordinator> & {
  readonly current: () => Coordinators;
} {
  let coordinators: Coordinators;
  let open: Coordinator[] = [];
  beforeEach(async () => {
    // A claim must be answered because it was served, and not because it was added a second time.
    vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval'] });
    coordinators = new Coordinators(testConfig().queue.redisUrl);
    open = [await coordinators.open(), await coordinators.open(), await coordinators.open()];
  });
  afterEach(async () => {
    vi.useRealTimers();
    await coordinators.close();
  });
  const [one, two, three] = [0, 1, 2].map((at) => () => open[at] as Coordinator) as [
    () => Coordinator,
    () => Coordinator,
    () => Coordinator,
  ];
  return { current: () => coordinators, one, two, three };
}
