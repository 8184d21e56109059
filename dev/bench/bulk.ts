import { performance } from 'node:perf_hooks';
import { counted, table } from '../../src/cli/terminal.ts';
import {
  chunksUnaudited,
  jobPerConversation,
  oneUpdateMany,
  spokesWay,
  throughBaton,
  updateOnePerConversation,
  type BulkWay,
} from './bulk-ways.ts';
import type { Ground } from './ground.ts';
import { median } from './load.ts';

interface Way {
  readonly name: string;
  readonly deal: BulkWay;
  /** A slow way is measured on so many conversations at the most: its rate does not depend on how many follow. */
  readonly conversationsMax?: number;
  /** In so many rounds at the most; the median counts. */
  readonly roundsMax: number;
}

const RAW = 'one raw updateMany';
const BATON = 'baton';

/** Baton and the limit stand side by side in every round, the others once. */
const WAYS: readonly Way[] = [
  { name: RAW, deal: oneUpdateMany, roundsMax: 3 },
  { name: BATON, deal: throughBaton, roundsMax: 3 },
  { name: 'chunks of 5,000, nothing kept', deal: chunksUnaudited, roundsMax: 1 },
  { name: "Spoke's way, unguarded", deal: spokesWay, roundsMax: 1 },
  { name: 'an updateOne each, in bulkWrite', deal: updateOnePerConversation, roundsMax: 1, conversationsMax: 50_000 },
  { name: 'a job for each conversation', deal: jobPerConversation, roundsMax: 1, conversationsMax: 4_000 },
];

export interface BulkRow {
  readonly conversations: number;
  readonly way: string;
  /** Conversations that were really moved, of all. */
  readonly measuredOn: number;
  /** The median of the rounds'. */
  readonly perSecond: number;
  /** Each round's, in conversations a second. */
  readonly rates: readonly number[];
  /** The rate as a share of the raw updateMany's in the same round. */
  readonly ofRaw: number;
  /** The largest resident memory of the worker meanwhile, in MiB; only where the worker does the work. */
  readonly workerPeakMiB: number | null;
}

const TEXTERS = 10;

export interface BulkOptions {
  readonly conversations: number;
  readonly rounds: number;
  /**
   * At least so many are dealt unmeasured: then a worker has its usual speed and memory, and each way writes rows that
   * have been written before, where those that were only inserted are faster.
   */
  readonly warmUp: number;
}

/** All ways on one campaign, in turns: pool to texters, and back to the pool in between. */
export async function benchBulk(ground: Ground, { conversations, rounds, warmUp }: BulkOptions): Promise<BulkRow[]> {
  const campaignId = await ground.seedCampaign(TEXTERS, conversations);
  const texterIds = Array.from({ length: TEXTERS }, (_, index) => `t${index}`);
  const rates = new Map<string, number[]>(WAYS.map(({ name }) => [name, []]));
  const peaks: number[] = [];
  const run = async ({ name, deal, conversationsMax = conversations }: Way): Promise<void> => {
    const expected = Math.min(conversations, conversationsMax);
    ground.place.forgetPeaks();
    const startedAt = performance.now();
    const moved = await deal(ground.place, { campaignId, texterIds, conversationsMax });
    const seconds = (performance.now() - startedAt) / 1_000;
    if (moved !== expected)
      throw new Error(`expected "${name}" to move ${counted(expected, 'conversation')}, got ${moved}`);
    rates.get(name)?.push(moved / seconds);
    if (name === BATON) peaks.push(ground.place.peakMiB());
    await ground.refill([campaignId]);
    process.stderr.write('.');
  };
  for (let dealt = 0; dealt < warmUp; dealt += conversations) {
    await throughBaton(ground.place, { campaignId });
    await ground.refill([campaignId]);
  }
  for (let round = 0; round < rounds; round += 1) {
    for (const way of WAYS.filter(({ roundsMax }) => roundsMax > round)) await run(way);
  }
  await ground.drop(campaignId);
  const raw = rates.get(RAW) ?? [];
  return WAYS.map(({ name, conversationsMax = conversations }) => {
    const own = rates.get(name) ?? [];
    return {
      conversations,
      way: name,
      measuredOn: Math.min(conversations, conversationsMax),
      perSecond: median(own),
      rates: own,
      // Against its neighbour in time: machines have good and bad minutes.
      ofRaw: median(own.map((rate, round) => rate / (raw[round] ?? NaN))),
      workerPeakMiB: name === BATON ? Math.max(...peaks) : null,
    };
  });
}

export function drawBulk(rows: readonly BulkRow[]): string {
  const head = ['conversations', 'way', 'a second', 'of raw', 'worker MiB'];
  const lines = rows.map(({ conversations, way, perSecond, ofRaw, workerPeakMiB }) => [
    conversations,
    way,
    Math.round(perSecond),
    ofRaw.toFixed(2),
    workerPeakMiB === null ? '' : workerPeakMiB.toFixed(0),
  ]);
  return table(head, lines);
}
