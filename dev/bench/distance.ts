import { once } from 'node:events';
import { table } from '../../src/cli/terminal.ts';
import { connectProducer } from '../../src/queue/connection.ts';
import { BenchSandbox } from './bench-sandbox.ts';
import { throughBaton } from './bulk-ways.ts';
import { selfAssign } from './claim-ways.ts';
import { DelayingProxy } from './delaying-proxy.ts';
import { reassignOne } from './latency.ts';
import { median } from './load.ts';
import { drawSpread, ratioOf, spreadOf, timed, type Spread } from './spread.ts';

/** The round trip that each proxy adds. */
const ROUND_TRIP_MS = 10;
const PINGS = 20;

export interface DistanceOptions {
  readonly rounds: number;
  /** Single requests of each kind in a round, one after the other. */
  readonly requests: number;
  /** Claims that are sent at once, each by a texter of its own. */
  readonly claims: number;
  /** The conversations of the large operation. */
  readonly conversations: number;
}

export interface DistanceRow {
  readonly what: string;
  /** Milliseconds, without and with the distance. For single requests, each round counts with its median. */
  readonly near: Spread;
  readonly far: Spread;
  /** The time with the distance divided by the time without it, in the same round. */
  readonly times: Spread;
  /** How many round trips to each service a single request waits for, one after the other. */
  readonly inSequence: { readonly mongodb: Spread; readonly redis: Spread } | null;
}

type Place = 'near' | 'mongodbFar' | 'redisFar' | 'far';
type Times = Record<Place, number[]>;

/** Measures requests to databases that are near, and to the same ones behind proxies that delay everything. */
export async function benchDistance(options: DistanceOptions): Promise<DistanceRow[]> {
  const services = await FarServices.open();
  try {
    return await new DistanceRuns(services, options).rows();
  } finally {
    await services.close();
  }
}

/** A sandbox whose worker and producer reach both services through proxies. */
class FarServices {
  readonly bench: BenchSandbox;
  private readonly mongodb: DelayingProxy;
  private readonly redis: DelayingProxy;

  private constructor(bench: BenchSandbox, mongodb: DelayingProxy, redis: DelayingProxy) {
    this.bench = bench;
    this.mongodb = mongodb;
    this.redis = redis;
  }

  static async open(): Promise<FarServices> {
    const mongodb = await DelayingProxy.before(process.env['MONGODB_URI'] ?? '');
    const redis = await DelayingProxy.before(process.env['REDIS_URL'] ?? '');
    const bench = await BenchSandbox.open({ addresses: { mongodbUri: mongodb.url, redisUrl: redis.url } });
    return new FarServices(bench, mongodb, redis);
  }

  moveTo(place: Place): void {
    this.mongodb.oneWayMs = place === 'far' || place === 'mongodbFar' ? ROUND_TRIP_MS / 2 : 0;
    this.redis.oneWayMs = place === 'far' || place === 'redisFar' ? ROUND_TRIP_MS / 2 : 0;
  }

  /** Returns the round trips that the proxies really add. Timers are late by a fraction of a millisecond. */
  async addedMs(): Promise<{ readonly mongodb: number; readonly redis: number }> {
    const { database } = this.bench.sandbox.context;
    const redis = connectProducer(this.bench.sandbox.redisUrl, () => undefined);
    if (redis.status !== 'ready') await once(redis, 'ready');
    const added = async (ping: () => Promise<unknown>): Promise<number> => {
      const msAt = async (place: Place): Promise<number> => {
        this.moveTo(place);
        return medianOf(PINGS, ping);
      };
      const near = await msAt('near');
      return (await msAt('far')) - near;
    };
    const both = { mongodb: await added(() => database.command({ ping: 1 })), redis: await added(() => redis.ping()) };
    redis.disconnect();
    return both;
  }

  async close(): Promise<void> {
    this.moveTo('near');
    await this.bench.sandbox.close();
    await Promise.all([this.mongodb.close(), this.redis.close()]);
  }
}

async function medianOf(count: number, work: () => Promise<unknown>): Promise<number> {
  const times: number[] = [];
  for (let at = 0; at < count; at += 1) times.push(await timed(work));
  return median(times);
}

/** Every kind of request at every distance, in each round. */
class DistanceRuns {
  private readonly services: FarServices;
  private readonly bench: BenchSandbox;
  private readonly options: DistanceOptions;
  private readonly times = new Map<string, Times>();
  private campaignId = '';
  private ids: string[] = [];

  constructor(services: FarServices, options: DistanceOptions) {
    this.services = services;
    this.bench = services.bench;
    this.options = options;
  }

  async rows(): Promise<DistanceRow[]> {
    const { claims, conversations, rounds } = this.options;
    await this.bench.sandbox.setWorkers(1);
    this.campaignId = await this.bench.seedCampaign(claims, conversations);
    const added = await this.services.addedMs();
    await this.round(new Map());
    for (let round = 0; round < rounds; round += 1) {
      await this.round(this.times);
      process.stderr.write('.');
    }
    return [...this.times].map(([what, times]) => rowOf(what, times, added));
  }

  /** The first round warms up: its times are dropped. */
  private async round(into: Map<string, Times>): Promise<void> {
    const { requests, claims, conversations } = this.options;
    for (const place of ['near', 'mongodbFar', 'redisFar', 'far'] as const) {
      this.services.moveTo('near');
      await this.bench.refillPools([this.campaignId]);
      this.ids = await this.bench.conversationIds(this.campaignId);
      this.services.moveTo(place);
      const note = (what: string, ms: number): void => {
        const times = into.get(what) ?? { near: [], mongodbFar: [], redisFar: [], far: [] };
        times[place].push(ms);
        into.set(what, times);
      };
      note('a single move', await medianOf(requests, () => this.move()));
      note('a claim alone', await medianOf(requests, () => this.claim('t0')));
      if (place === 'mongodbFar' || place === 'redisFar') continue;
      const texterIds = Array.from({ length: claims }, (_, at) => `t${at}`);
      note(
        `${claims} claims at once`,
        await timed(() => Promise.all(texterIds.map((texterId) => this.claim(texterId)))),
      );
      note(`dealing a pool of ${conversations}`, await this.deal());
    }
  }

  private move(): Promise<void> {
    return reassignOne(this.bench, this.campaignId, this.ids.pop() ?? '');
  }

  private async claim(texterId: string): Promise<void> {
    const wanted = { campaignId: this.campaignId, texterId, count: 1, timeLeftMs: () => Infinity };
    if ((await selfAssign(this.bench.sandbox, wanted)) !== 1) throw new Error(`a claim of ${texterId} was not granted`);
  }

  private async deal(): Promise<number> {
    await this.bench.refillPools([this.campaignId]);
    return timed(() => throughBaton(this.bench.sandbox, { campaignId: this.campaignId }));
  }
}

function rowOf(what: string, times: Times, added: { readonly mongodb: number; readonly redis: number }): DistanceRow {
  const { near, far, mongodbFar, redisFar } = times;
  const trips = (own: readonly number[], addedMs: number): Spread =>
    spreadOf(own.map((ms, round) => (ms - (near[round] ?? NaN)) / addedMs));
  const isSingle = mongodbFar.length > 0;
  const inSequence = isSingle && { mongodb: trips(mongodbFar, added.mongodb), redis: trips(redisFar, added.redis) };
  return { what, near: spreadOf(near), far: spreadOf(far), times: ratioOf(far, near), inSequence: inSequence || null };
}

export function drawDistance(rows: readonly DistanceRow[]): string {
  const head = ['what', 'near ms', `far ms (${ROUND_TRIP_MS} ms to each)`, 'times', 'trips to MongoDB', 'to Redis'];
  const lines = rows.map(({ what, near, far, times, inSequence }) => [
    ...[what, drawSpread(near, 0), drawSpread(far, 0), drawSpread(times)],
    ...(inSequence ? [drawSpread(inSequence.mongodb, 1), drawSpread(inSequence.redis, 1)] : ['', '']),
  ]);
  return table(head, lines);
}
