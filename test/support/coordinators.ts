import { randomBytes } from 'node:crypto';
import { setImmediate as otherwise } from 'node:timers/promises';
import { afterEach, beforeEach, vi } from 'vitest';
import type { ClaimCommand, Round } from '../../src/claims/ports.ts';
import type { Claim } from '../../src/claims/claim.ts';
import { ClaimCoordinator } from '../../src/claims/coordinator.ts';
import { connectWorker, type RedisConnection } from '../../src/queue/connection.ts';
import type { Served } from '../../src/claims/messages.ts';
import { testConfig } from './harness.ts';
import { until } from './until.ts';

/** After this long without an answer a coordinator hands a claim over again. */
export const HANDED_AGAIN_MS = 3_000;

/** One call of `serve`: by which coordinator, and whose claims. */
export interface ServedRound {
  readonly coordinator: Coordinator;
  readonly campaignId: string;
  readonly claimIds: readonly string[];
}

type Around = (name: string, call: () => Promise<unknown>) => Promise<unknown>;

/** Coordinators on a real Redis; the database behind them is a list in memory, and a round takes as long as a test says. */
export class Coordinators {
  readonly rounds: ServedRound[] = [];
  /** Rounds of one campaign that were under way while another was. */
  overlaps = 0;
  /** How many claims one transaction serves. */
  servedMax = Infinity;
  /** What happens in the middle of a round. */
  during: (round: ServedRound) => Promise<void> = () => Promise.resolve();
  private readonly redisUrl: string;
  private readonly prefix = `{desks_${randomBytes(6).toString('hex')}}`;
  private readonly ledger = new Map<string, Claim>();
  private readonly underWay = new Map<string, number>();
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

  /** What the ledger has of a claim. */
  kept(claimId: string): readonly string[] | undefined {
    return this.ledger.get(claimId)?.granted;
  }

  /** How many rounds a claim was part of. */
  roundsOf(claimId: string): number {
    return this.rounds.filter(({ claimIds }) => claimIds.includes(claimId)).length;
  }

  /** Holds the rounds that `which` names until they are let go. */
  hold(which: (coordinator: Coordinator) => boolean = () => true): { letGo: () => void } {
    let letGo: () => void = () => undefined;
    const gate = new Promise<void>((resolve) => (letGo = resolve));
    this.during = ({ coordinator }) => (which(coordinator) ? gate : Promise.resolve());
    return { letGo };
  }

  /** Resolves in the middle of a held round with this claim. */
  async roundWith({ request }: ClaimCommand): Promise<void> {
    await until(`a round with ${request.operationId}`, () => this.roundsOf(request.operationId) > 0);
    await this.turnsLast();
  }

  /** Whoever has a turn has not been heard of for as long as it lasts. */
  turnsRunOut(): Promise<unknown> {
    return this.withKeys(':claims:lease:', (redis, keys) => redis.del(...keys));
  }

  /** Whoever has a turn keeps it, however slow the machine is. */
  turnsLast(): Promise<unknown> {
    return this.withKeys(':claims:lease:', (redis, keys) => Promise.all(keys.map((key) => redis.persist(key))));
  }

  /** Written by another hand to wherever coordinators listen. */
  publish(text: string): Promise<unknown> {
    return this.withRedis(async (redis) => {
      const channels = (await redis.pubsub('CHANNELS', `${this.prefix}*`)) as string[];
      await Promise.all(channels.map((channel) => redis.publish(channel, text)));
    });
  }

  /** Written by another hand to where coordinators hand claims over. */
  handOver(campaignId: string, items: readonly string[]): Promise<unknown> {
    return this.withRedis((redis) => redis.rpush(`${this.prefix}:claims:forwarded:${campaignId}`, ...items));
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
    const round = { coordinator, campaignId, claimIds: commands.map(({ request }) => request.operationId) };
    this.rounds.push(round);
    const others = this.underWay.get(campaignId) ?? 0;
    if (others > 0) this.overlaps += 1;
    this.underWay.set(campaignId, others + 1);
    try {
      await this.during(round);
      return {
        answered: commands.slice(0, this.servedMax).map((command) => this.keep(command)),
        completed: [],
        sawAllWaiting: commands.length <= this.servedMax,
      };
    } finally {
      this.underWay.set(campaignId, (this.underWay.get(campaignId) ?? 1) - 1);
    }
  }

  private keep({ request, requestHash, sendId }: ClaimCommand): Claim {
    const known = this.ledger.get(request.operationId);
    if (known) return known;
    const { operationId, campaignId } = request;
    const granted = [`conversation ${this.ledger.size + 1}`];
    const ended = {
      state: 'done',
      receipt: null,
      error: null,
      cancellation: null,
      waiting: null,
      sequence: 0,
    } as const;
    const at = { acceptedAt: new Date(), startedAt: new Date(), endedAt: new Date() };
    const claim: Claim = {
      operationId,
      campaignId,
      request,
      requestHash,
      createdBySendId: sendId,
      granted,
      ...ended,
      ...at,
    };
    this.ledger.set(operationId, claim);
    return claim;
  }
}

type Serve = (coordinator: Coordinator, campaignId: string, commands: readonly ClaimCommand[]) => Promise<Round>;

/** One coordinator, with a hand on every command it gives. */
export class Coordinator {
  /** Around each of its commands to Redis. */
  around: Around = (_name, call) => call();
  /** What it could not read. */
  readonly troubles: string[] = [];
  private readonly coordinator: ClaimCoordinator;
  private readonly redis: RedisConnection;
  private readonly subscriber: RedisConnection;
  private busy = 0;

  constructor(redisUrl: string, prefix: string, serve: Serve) {
    this.redis = connectWorker(redisUrl, () => undefined);
    this.subscriber = connectWorker(redisUrl, () => undefined);
    this.coordinator = new ClaimCoordinator({
      redis: this.watched(),
      subscriber: this.subscriber,
      prefix,
      serve: (campaignId, commands) => this.noting(() => serve(this, campaignId, commands)),
      onCompleted: () => undefined,
      onError: (error) => this.troubles.push(error.message),
    });
  }

  async open(): Promise<void> {
    await this.coordinator.open();
  }

  submit(command: ClaimCommand): Promise<Served> {
    return this.coordinator.submit(command);
  }

  look(campaignId: string): Promise<void> {
    return this.coordinator.look(campaignId);
  }

  /** Resolves when it has gone as far as it gets without being told anything. */
  async settled(): Promise<void> {
    for (let quiet = 0; quiet < 3; quiet = this.busy === 0 ? quiet + 1 : 0) await otherwise();
  }

  /** Its process is gone: RedisConnection hears of it no more. */
  die(): void {
    this.redis.disconnect();
    this.subscriber.disconnect();
  }

  private watched(): RedisConnection {
    return new Proxy(this.redis, {
      get: (redis, key): unknown => {
        const member: unknown = Reflect.get(redis, key);
        if (typeof member !== 'function') return member;
        return (...args: unknown[]): unknown =>
          this.noting(() => this.around(String(key), () => Reflect.apply(member, redis, args) as Promise<unknown>));
      },
    });
  }

  private async noting<Result>(work: () => Promise<Result>): Promise<Result> {
    this.busy += 1;
    try {
      return await work();
    } finally {
      this.busy -= 1;
    }
  }
}

/** All that was asked for, in time, or what kept it from coming. */
export async function answered<Answer>(asked: readonly Promise<Answer>[]): Promise<Answer[]> {
  let answers: Answer[] | undefined;
  let failure: unknown;
  Promise.all(asked).then(
    (all) => (answers = all),
    (error: unknown) => (failure = error ?? 'rejected'),
  );
  await until(`${asked.length} claims to be answered`, () => answers ?? failure, 10_000);
  if (!answers) throw failure;
  return answers;
}

/** Three coordinators for each test, new ones. Time stands still for them until a test moves it. */
export function threeCoordinators(): Record<'one' | 'two' | 'three', () => Coordinator> & {
  readonly current: () => Coordinators;
} {
  let coordinators: Coordinators;
  let open: Coordinator[] = [];
  beforeEach(async () => {
    // Whatever is answered is answered because somebody served it, not because it was forwarded over a second time.
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
