import { performance } from 'node:perf_hooks';
import type { BenchSandbox } from '../bench-sandbox.ts';
import { createProducer, type Producer } from '../../../src/producer/index.ts';
import type { ClaimInput } from '../../../src/domain/inputs.ts';
import { measure, median, type Measured } from '../load.ts';
import { timed } from '../spread.ts';
import type { BenchServer } from './server.ts';

const TEXTERS = 50;
const CLAIM = 10;

export interface HttpBench {
  readonly bench: BenchSandbox;
  readonly server: BenchServer;
}

export interface RequestRow {
  readonly what: string;
  readonly p50Ms: number;
  /** p50 beyond the one of the producer's own enqueue, in the same run. */
  readonly overProducerMs: number;
}

/** These requests are not measured: they compile the code and open the connections. */
const WARM_UP = 100;

/**
 * Creates and reads operations over HTTP, in turn with the producer's own enqueue. Each begins when nothing runs: otherwise
 * the worker would use the processor in the middle of the one that comes after it.
 */
export async function benchRequests({ bench, server }: HttpBench, requests: number): Promise<readonly RequestRow[]> {
  const { sandbox } = bench;
  const rounds = requests + WARM_UP;
  const campaignId = await bench.seedCampaign(2, rounds * 2);
  const ids = await bench.conversationIds(campaignId);
  const path = `/v1/campaigns/${campaignId}/operations`;
  const to = { texterIds: ['t0'] as const };
  const ended = async (operationId: string): Promise<string> => {
    await sandbox.producer.result(operationId);
    return operationId;
  };
  const ways: Readonly<Record<string, (operationId: string) => Promise<unknown>>> = {
    'enqueue by the producer': (operationId) =>
      sandbox.producer.reassignOne({ operationId, campaignId, conversationId: ids.pop() ?? '', to }),
    'create over HTTP': (operationId) => {
      const body = { kind: 'reassign-one', conversationId: ids.pop(), to };
      return server.client.send('POST', path, body, { 'idempotency-key': operationId });
    },
  };
  const times = new Map<string, number[]>();
  const note = (what: string, ms: number): unknown => times.set(what, [...(times.get(what) ?? []), ms]);
  for (let round = 0; round < rounds; round += 1) {
    for (const [what, send] of Object.entries(ways)) {
      const operationId = sandbox.newId('op');
      const ms = await timed(() => send(operationId));
      if (round >= WARM_UP) note(what, ms);
      await ended(operationId);
      // The worker still finishes the job when the producer has its result.
      await server.client.send('GET', `/v1/campaigns/${campaignId}`);
      const readMs = await timed(() => server.client.send('GET', `${path}/${operationId}`));
      if (round >= WARM_UP) note('read over HTTP', readMs);
    }
  }
  const ofProducer = median(times.get('enqueue by the producer') ?? []);
  return [...times].map(([what, list]) => ({ what, p50Ms: median(list), overProducerMs: median(list) - ofProducer }));
}

const CLAIM_WAYS = ['producer', 'HTTP'] as const;

export interface ClaimsRow extends Measured {
  readonly way: (typeof CLAIM_WAYS)[number];
}

/** How long each way runs before it is measured. */
const WARM_UP_MS = 1_000;

/**
 * Fifty texters claim ten each, in turns by the producer and over HTTP, from pools of the same size. Each turn has a producer
 * of its own: one that is idle would still read the events of all claims.
 */
export async function benchClaims(
  http: HttpBench,
  { seconds, pool, rounds }: { readonly seconds: number; readonly pool: number; readonly rounds: number },
): Promise<ClaimsRow[]> {
  const rows: ClaimsRow[] = [];
  for (let round = 0; round < rounds; round += 1) {
    for (const way of round % 2 === 0 ? CLAIM_WAYS : CLAIM_WAYS.toReversed()) {
      const campaignId = await http.bench.seedCampaign(TEXTERS, pool);
      const producer = createProducer(http.bench.sandbox.config.queue);
      const claim = way === 'producer' ? byProducer(producer) : overHttp(http.server);
      const ask = async (asker: number): Promise<number> => {
        await claim({ campaignId, operationId: http.bench.sandbox.newId('cl'), texterId: `t${asker}`, count: CLAIM });
        return 1;
      };
      const load = { askers: TEXTERS, requestsMax: pool / CLAIM / 2, durationMsMax: WARM_UP_MS };
      await measure(load, ask);
      rows.push({ way, ...(await measure({ ...load, durationMsMax: seconds * 1_000 }, ask)) });
      await producer.close();
      await http.bench.deleteConversations(campaignId);
    }
  }
  return rows;
}

type Claim = (
  request: Required<Pick<ClaimInput, 'operationId' | 'campaignId' | 'texterId' | 'count'>>,
) => Promise<unknown>;

const byProducer =
  (producer: Producer): Claim =>
  async (request) =>
    (await producer.selfAssign(request)).result();

const overHttp =
  ({ client }: BenchServer): Claim =>
  async ({ operationId, campaignId, ...body }) => {
    const headers = { 'idempotency-key': operationId, prefer: 'wait=30' };
    const { state } = (await client.send('POST', `/v1/campaigns/${campaignId}/claims`, body, headers)) as {
      readonly state: string;
    };
    if (state !== 'done') throw new Error(`a claim is ${state} after the wait`);
  };

export interface ReadsRow {
  readonly beside: '/livez' | 'mixed reads';
  readonly reads: number;
  readonly operationPerSecond: number;
}

/** Runs a bulk operation beside reads at a fixed rate: of /livez, and of campaigns, senders, pages and operations. */
export async function benchReads({ bench, server }: HttpBench, size: number, perSecond: number): Promise<ReadsRow[]> {
  const rows: ReadsRow[] = [];
  for (const beside of ['/livez', 'mixed reads'] as const) {
    const campaignId = await bench.seedCampaign(TEXTERS, size);
    const path = `/v1/campaigns/${campaignId}`;
    const mixed = [path, `${path}/senders`, `${path}/conversations?assignee=t1`, `${path}/operations`];
    const paths = beside === '/livez' ? ['/livez'] : mixed;
    const running: Promise<unknown>[] = [];
    const startedAt = performance.now();
    const timer = setInterval(() => {
      const due = ((performance.now() - startedAt) / 1_000) * perSecond;
      while (running.length < due)
        running.push(server.client.send('GET', paths[running.length % paths.length] ?? path));
    }, 5);
    const operationMs = await timed(() => dealAll(bench, campaignId));
    clearInterval(timer);
    await Promise.all(running);
    rows.push({ beside, reads: running.length, operationPerSecond: size / (operationMs / 1_000) });
    await bench.deleteConversations(campaignId);
  }
  return rows;
}

export async function dealAll({ sandbox }: BenchSandbox, campaignId: string): Promise<void> {
  const all = { from: 'pool', to: 'everyone', status: 'any' } as const;
  await (await sandbox.producer.reassign({ operationId: sandbox.newId('op'), campaignId, ...all })).result();
}
