import { table } from '../../src/cli/terminal.ts';
import { throughBaton } from './bulk-ways.ts';
import type { Ground } from './ground.ts';
import { quantile } from './load.ts';
import { Noop } from './noop.ts';

export interface SingleRow {
  readonly what: 'no-op job' | 'single reassign';
  /** What runs beside it: nothing, or an operation of so many conversations on another campaign. */
  readonly beside: number;
  readonly requests: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
}

const TEXTERS = 10;
const WARM_UP = 40;

/** One request after the other, each with a job that does nothing next to it, from enqueue to answer. */
export async function benchSingle(ground: Ground, options: { requests: number; large: number }): Promise<SingleRow[]> {
  const { place } = ground;
  const campaignId = await ground.seedCampaign(TEXTERS, options.requests * 2 + WARM_UP);
  const largeId = await ground.seedCampaign(TEXTERS, options.large);
  const ids = await ground.someIds(campaignId);
  const noop = await Noop.start(place);
  const reassign = (): Promise<void> => reassignOne(ground, campaignId, ids.pop() ?? '');
  const inTurns = async (requests: number, isOver: () => boolean, beside: number): Promise<SingleRow[]> => {
    const noops: number[] = [];
    const singles: number[] = [];
    while (singles.length < requests && !isOver()) {
      noops.push(await timed(() => noop.run()));
      singles.push(await timed(reassign));
    }
    return [rowOf('no-op job', noops, beside), rowOf('single reassign', singles, beside)];
  };
  try {
    await inTurns(WARM_UP, () => false, 0);
    const idle = await inTurns(options.requests, () => false, 0);
    let isOver = false;
    const ended = throughBaton(place, { campaignId: largeId }).then(() => (isOver = true));
    const busy = await inTurns(options.requests, () => isOver, options.large);
    await ended;
    return [...idle, ...busy];
  } finally {
    await noop.stop();
    await ground.drop(largeId);
  }
}

async function reassignOne({ place }: Ground, campaignId: string, conversationId: string): Promise<void> {
  const request = { operationId: place.newId('op'), campaignId, conversationId, to: { texterIds: ['t1'] as const } };
  const { receipt } = await (await place.producer.reassignOne(request)).result();
  if (receipt.moved !== 1) throw new Error(`expected conversation ${conversationId} to move, it did not`);
}

async function timed(work: () => Promise<void>): Promise<number> {
  const startedAt = performance.now();
  await work();
  return performance.now() - startedAt;
}

function rowOf(what: SingleRow['what'], latencies: number[], beside: number): SingleRow {
  latencies.sort((a, b) => a - b);
  const [p50Ms, p99Ms] = [quantile(latencies, 0.5), quantile(latencies, 0.99)];
  return { what, beside, requests: latencies.length, p50Ms, p99Ms };
}

export function drawSingle(rows: readonly SingleRow[]): string {
  const lines = rows.map(({ what, beside, requests, p50Ms, p99Ms }) => [
    beside === 0 ? 'nothing' : `an operation of ${beside}`,
    what,
    requests,
    p50Ms.toFixed(1),
    p99Ms.toFixed(1),
  ]);
  return table(['beside', 'what', 'requests', 'p50 ms', 'p99 ms'], lines);
}
