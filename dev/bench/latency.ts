import { table } from '../../src/cli/terminal.ts';
import { throughBaton } from './bulk-ways.ts';
import type { BenchSandbox } from './bench-sandbox.ts';
import { quantile } from './load.ts';
import { NoOpQueue } from './no-op-queue.ts';
import { timed } from './spread.ts';

export interface SingleRow {
  readonly what: 'no-op job' | 'single reassign';
  /** The size of the operation that runs on another campaign at the same time; 0 for none. */
  readonly beside: number;
  readonly requests: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
}

const TEXTERS = 10;
const WARM_UP = 40;

/** Measures single requests, one after the other, from sending to the result. Alternates them with no-op jobs. */
export async function benchSingle(
  bench: BenchSandbox,
  options: { requests: number; large: number },
): Promise<SingleRow[]> {
  const { sandbox } = bench;
  const campaignId = await bench.seedCampaign(TEXTERS, options.requests * 2 + WARM_UP);
  const largeId = await bench.seedCampaign(TEXTERS, options.large);
  const ids = await bench.conversationIds(campaignId);
  const noOpQueue = await NoOpQueue.start(sandbox);
  const reassign = (): Promise<void> => reassignOne(bench, campaignId, ids.pop() ?? '');
  const alternate = async (requests: number, isOver: () => boolean, beside: number): Promise<SingleRow[]> => {
    const noOps: number[] = [];
    const singles: number[] = [];
    while (singles.length < requests && !isOver()) {
      noOps.push(await timed(() => noOpQueue.runJob()));
      singles.push(await timed(reassign));
    }
    return [rowOf('no-op job', noOps, beside), rowOf('single reassign', singles, beside)];
  };
  try {
    await alternate(WARM_UP, () => false, 0);
    const idle = await alternate(options.requests, () => false, 0);
    let isOver = false;
    const ended = throughBaton(sandbox, { campaignId: largeId }).then(() => (isOver = true));
    const busy = await alternate(options.requests, () => isOver, options.large);
    await ended;
    return [...idle, ...busy];
  } finally {
    await noOpQueue.stop();
    await bench.deleteConversations(largeId);
  }
}

/** Moves one conversation to t1. */
export async function reassignOne(
  { sandbox }: BenchSandbox,
  campaignId: string,
  conversationId: string,
): Promise<void> {
  const request = { operationId: sandbox.newId('op'), campaignId, conversationId, to: { texterIds: ['t1'] as const } };
  const { receipt } = await (await sandbox.producer.reassignOne(request)).result();
  if (receipt.moved !== 1) throw new Error(`conversation ${conversationId} did not move`);
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
