import { performance } from 'node:perf_hooks';
import { counted, table } from '../../src/cli/terminal.ts';
import {
  batchesWithoutReceipt,
  jobPerConversation,
  oneUpdateMany,
  spokesWay,
  throughBaton,
  updateOnePerConversation,
  type BulkWay,
} from './bulk-ways.ts';
import type { BenchSandbox } from './bench-sandbox.ts';
import { median } from './load.ts';
import { drawSpread, ratioOf, type Spread } from './spread.ts';

interface Way {
  readonly name: string;
  readonly deal: BulkWay;
  /** A slow way is measured on this many conversations only. Its rate does not depend on the number. */
  readonly conversationsMax?: number;
  /** The most rounds; the result is their median. */
  readonly roundsMax: number;
}

const RAW = 'one raw updateMany';
const BATON = 'baton';

/** Baton and the raw update run in every round, the other ways in the first one only. */
const WAYS: readonly Way[] = [
  { name: RAW, deal: oneUpdateMany, roundsMax: 3 },
  { name: BATON, deal: throughBaton, roundsMax: 3 },
  { name: 'batches of 5,000, no receipt', deal: batchesWithoutReceipt, roundsMax: 1 },
  { name: "Spoke's way, unguarded", deal: spokesWay, roundsMax: 1 },
  { name: 'an updateOne each, in bulkWrite', deal: updateOnePerConversation, roundsMax: 1, conversationsMax: 50_000 },
  { name: 'a job for each conversation', deal: jobPerConversation, roundsMax: 1, conversationsMax: 4_000 },
];

export interface BulkRow {
  readonly conversations: number;
  readonly way: string;
  /** The number of conversations that were moved. */
  readonly measuredOn: number;
  /** Conversations per second: the median of the rounds. */
  readonly perSecond: number;
  /** Conversations per second of each round. */
  readonly rates: readonly number[];
  /** The rate divided by the rate of the raw updateMany in the same round. */
  readonly ofRaw: Spread;
  /** The largest resident memory of the worker during the rounds; `null` for ways without a worker. */
  readonly workerPeakMiB: number | null;
}

const TEXTERS = 10;

export interface BulkOptions {
  readonly conversations: number;
  readonly rounds: number;
  /**
   * Conversations to deal before the first measured round. After that the worker has its usual speed and memory, and no
   * way profits from documents that were never updated, whose first update is faster.
   */
  readonly warmUp: number;
}

/** Runs all ways on one campaign, one after the other. Each starts with all conversations in the pool. */
export async function benchBulk(
  bench: BenchSandbox,
  { conversations, rounds, warmUp }: BulkOptions,
): Promise<BulkRow[]> {
  const campaignId = await bench.seedCampaign(TEXTERS, conversations);
  const texterIds = Array.from({ length: TEXTERS }, (_, index) => `t${index}`);
  const rates = new Map<string, number[]>(WAYS.map(({ name }) => [name, []]));
  const peaks: number[] = [];
  const run = async ({ name, deal, conversationsMax = conversations }: Way): Promise<void> => {
    const expected = Math.min(conversations, conversationsMax);
    bench.sandbox.resetWorkerPeaks();
    const startedAt = performance.now();
    const moved = await deal(bench.sandbox, { campaignId, texterIds, conversationsMax });
    const seconds = (performance.now() - startedAt) / 1_000;
    if (moved !== expected) throw new Error(`"${name}" moved ${moved} of ${counted(expected, 'conversation')}`);
    rates.get(name)?.push(moved / seconds);
    if (name === BATON) peaks.push(bench.sandbox.workerPeakMiB());
    await bench.refillPools([campaignId]);
    process.stderr.write('.');
  };
  for (let dealt = 0; dealt < warmUp; dealt += conversations) {
    await throughBaton(bench.sandbox, { campaignId });
    await bench.refillPools([campaignId]);
  }
  for (let round = 0; round < rounds; round += 1) {
    for (const way of WAYS.filter(({ roundsMax }) => roundsMax > round)) await run(way);
  }
  await bench.deleteConversations(campaignId);
  return WAYS.map((way) => rowOf(way, conversations, rates, peaks));
}

function rowOf(
  { name, conversationsMax = Infinity }: Way,
  conversations: number,
  rates: ReadonlyMap<string, readonly number[]>,
  peaks: readonly number[],
): BulkRow {
  const own = rates.get(name) ?? [];
  const raw = rates.get(RAW) ?? [];
  return {
    conversations,
    way: name,
    measuredOn: Math.min(conversations, conversationsMax),
    perSecond: median(own),
    rates: own,
    ofRaw: ratioOf(own, raw),
    workerPeakMiB: name === BATON ? Math.max(...peaks) : null,
  };
}

export function drawBulk(rows: readonly BulkRow[]): string {
  const head = ['conversations', 'way', 'per second', 'of raw', 'worker MiB'];
  const lines = rows.map(({ conversations, way, perSecond, ofRaw, workerPeakMiB }) => [
    conversations,
    way,
    Math.round(perSecond),
    drawSpread(ofRaw),
    workerPeakMiB === null ? '' : workerPeakMiB.toFixed(0),
  ]);
  return table(head, lines);
}
