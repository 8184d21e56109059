import { performance } from 'node:perf_hooks';
import type { BenchSandbox } from '../bench-sandbox.ts';
import { measure, quantile, type Measured } from '../load.ts';
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

/** Creates and reads operations over HTTP, in turn with the producer's own enqueue. */
export async function benchRequests({ bench, server }: HttpBench, requests: number): Promise<readonly RequestRow[]> {
  const { sandbox } = bench;
  const campaignId = await bench.seedCampaign(2, requests * 3);
  const ids = await bench.conversationIds(campaignId);
  const path = `/v1/campaigns/${campaignId}/operations`;
  const times = {
    'enqueue by the producer': [] as number[],
    'create over HTTP': [] as number[],
    'read over HTTP': [] as number[],
  };
  for (let request = 0; request < requests; request += 1) {
    const [first = '', second = ''] = [ids.pop(), ids.pop()];
    const to = { texterIds: ['t0'] as const };
    const one = { operationId: sandbox.newId('op'), campaignId, conversationId: first, to };
    times['enqueue by the producer'].push(await timed(() => sandbox.producer.reassignOne(one)));
    const operationId = sandbox.newId('op');
    const body = { kind: 'reassign-one', conversationId: second, to };
    times['create over HTTP'].push(
      await timed(() => server.send('POST', path, body, { 'idempotency-key': operationId })),
    );
    times['read over HTTP'].push(await timed(() => server.send('GET', `${path}/${one.operationId}`)));
  }
  const p50 = (list: readonly number[]): number =>
    quantile(
      list.toSorted((a, b) => a - b),
      0.5,
    );
  const ofProducer = p50(times['enqueue by the producer']);
  return Object.entries(times).map(([what, list]) => {
    return { what, p50Ms: p50(list), overProducerMs: p50(list) - ofProducer };
  });
}

export interface ClaimsRow extends Measured {
  readonly way: 'producer' | 'HTTP';
}

/** Fifty texters claim ten each, by the producer and over HTTP, from pools of the same size. */
export async function benchClaims({ bench, server }: HttpBench, seconds: number, pool: number): Promise<ClaimsRow[]> {
  const { sandbox } = bench;
  const rows: ClaimsRow[] = [];
  for (const way of ['producer', 'HTTP'] as const) {
    const campaignId = await bench.seedCampaign(TEXTERS, pool);
    const claim = async (asker: number): Promise<number> => {
      const operationId = sandbox.newId('cl');
      const texterId = `t${asker}`;
      if (way === 'producer') {
        await (await sandbox.producer.selfAssign({ operationId, campaignId, texterId, count: CLAIM })).result();
      } else {
        const headers = { 'idempotency-key': operationId, prefer: 'wait=30' };
        await server.send('POST', `/v1/campaigns/${campaignId}/claims`, { texterId, count: CLAIM }, headers);
      }
      return 1;
    };
    const load = { askers: TEXTERS, requestsMax: pool / CLAIM, durationMsMax: seconds * 1_000 };
    rows.push({ way, ...(await measure(load, claim)) });
    await bench.deleteConversations(campaignId);
  }
  return rows;
}

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
      while (running.length < due) running.push(server.send('GET', paths[running.length % paths.length] ?? path));
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
