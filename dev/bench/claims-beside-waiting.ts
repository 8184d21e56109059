import { Queue } from 'bullmq';
import { table } from '../../src/cli/terminal.ts';
import { CLAIM_JOB, CLAIM_JOB_OPTIONS, newClaimJob, type ClaimRequest } from '../../src/claims/contract.ts';
import { requestHash } from '../../src/domain/requests.ts';
import { CLAIMS_QUEUE, jobIdOf } from '../../src/queue/job.ts';
import { connectWorker } from '../../src/queue/connection.ts';
import type { Sandbox } from '../sandbox.ts';
import type { BenchSandbox } from './bench-sandbox.ts';
import { selfAssign } from './claim-ways.ts';
import { median } from './load.ts';
import { drawSpread, spreadOf, timed, type Spread } from './spread.ts';

const WAIT_MS = 3_600_000;
const SEED_PAGE = 1_000;
/** The conversations of the campaign without waiting claims. */
const POOL = 2_000;

export interface WaitingRow {
  readonly claimOn: 'the same campaign' | 'another campaign';
  readonly waiting: number;
  readonly p50Ms: number;
  /** The time of each round divided by the median time without waiting claims. */
  readonly times: Spread;
}

/** Measures a claim on a campaign with an empty pool, without and with waiting claims there, and a claim on another campaign. */
export async function benchWaiting(
  bench: BenchSandbox,
  { waiting, requests, rounds }: { waiting: number; requests: number; rounds: number },
): Promise<WaitingRow[]> {
  const crowded = await bench.seedCampaign(1, 0);
  const other = await bench.seedCampaign(1, POOL);
  const claim = (campaignId: string): Promise<number> => median50(bench, campaignId, requests);
  const warmUp = async (): Promise<void> => {
    for (const campaignId of [crowded, other]) await claim(campaignId);
  };
  await warmUp();
  const alone: number[][] = [];
  for (let round = 0; round < rounds; round += 1) alone.push([await claim(crowded), await claim(other)]);
  await seedWaiting(bench, crowded, waiting);
  await warmUp();
  await requireWaiting(bench, crowded, waiting);
  const beside: number[][] = [];
  for (let round = 0; round < rounds; round += 1) beside.push([await claim(crowded), await claim(other)]);
  return (['the same campaign', 'another campaign'] as const).map((claimOn, at) => {
    const before = median(alone.map((each) => each[at] ?? NaN));
    const after = beside.map((each) => each[at] ?? NaN);
    return { claimOn, waiting, p50Ms: median(after), times: spreadOf(after.map((each) => each / before)) };
  });
}

async function median50({ sandbox }: BenchSandbox, campaignId: string, requests: number): Promise<number> {
  const latencies: number[] = [];
  for (let request = 0; request < requests; request += 1) {
    const wanted = { campaignId, texterId: 't0', count: 1, timeLeftMs: () => Infinity };
    latencies.push(await timed(() => selfAssign(sandbox, wanted)));
  }
  return median(latencies);
}

/** A claim that a round has ended, or whose job a worker has taken, would not be measured as one that waits. */
async function requireWaiting({ sandbox }: BenchSandbox, campaignId: string, count: number): Promise<void> {
  const stored = await sandbox.context.database.claims.countDocuments({
    campaignId,
    'waiting.until': { $gt: new Date() },
  });
  const snoozed = await withClaimsQueue(sandbox, (queue) => queue.getDelayedCount());
  if (stored !== count || snoozed !== count) {
    throw new Error(`${stored} claims and ${snoozed} jobs wait instead of ${count}`);
  }
}

/** Stores waiting claims, each of a texter of its own, with snoozed jobs, as rounds and workers leave them. */
async function seedWaiting({ sandbox }: BenchSandbox, campaignId: string, count: number): Promise<void> {
  await withClaimsQueue(sandbox, (queue) => addWaiting(sandbox, queue, campaignId, count));
  await sandbox.context.database.campaigns.updateOne({ _id: campaignId }, { $set: { waitingCount: count } });
}

async function withClaimsQueue<Result>(sandbox: Sandbox, work: (queue: Queue) => Promise<Result>): Promise<Result> {
  const { redisUrl, prefix } = sandbox.config.queue;
  const redis = connectWorker(redisUrl, () => undefined);
  const queue = new Queue(CLAIMS_QUEUE, { connection: redis, prefix });
  try {
    return await work(queue);
  } finally {
    await queue.close();
    redis.disconnect();
  }
}

async function addWaiting(sandbox: Sandbox, queue: Queue, campaignId: string, count: number): Promise<void> {
  const { database } = sandbox.context;
  for (let from = 0; from < count; from += SEED_PAGE) {
    const requests = Array.from({ length: Math.min(SEED_PAGE, count - from) }, (_, at) => {
      const texterId = `w${from + at}`;
      return { kind: 'self-assign', operationId: sandbox.newId('cl'), campaignId, texterId, waitMs: WAIT_MS } as const;
    });
    await database.texters.insertMany(
      requests.map(({ texterId }, at) => ({
        campaignId,
        texterId,
        name: texterId,
        active: true,
        joinedOrder: from + at + 2,
      })) as never,
    );
    await database.claims.insertMany(requests.map((request, at) => claimDoc(request, from + at + 1)) as never);
    await queue.addBulk(
      requests.map((request) => ({
        name: CLAIM_JOB,
        data: newClaimJob(request, 'bench'),
        opts: { ...CLAIM_JOB_OPTIONS, jobId: jobIdOf(request.operationId), delay: WAIT_MS },
      })),
    );
  }
}

function claimDoc(request: ClaimRequest, sequence: number): object {
  const now = new Date();
  const { operationId, kind, campaignId } = request;
  return {
    ...{ _id: operationId, kind, campaignId, request, requestHash: requestHash(request), createdBySendId: 'bench' },
    ...{ state: 'accepted', sequence: 0, error: null, cancellation: null, granted: [] },
    receipt: { selected: 0, moved: 0, asked: null, shortBecause: 'none-left', left: null, skipped: [] },
    ...{ acceptedAt: now, startedAt: now, endedAt: null },
    waiting: { sequence, until: new Date(now.getTime() + WAIT_MS) },
  };
}

export function drawWaiting(rows: readonly WaitingRow[]): string {
  const lines = rows.map(({ claimOn, waiting, p50Ms, times }) => {
    return [claimOn, waiting, p50Ms.toFixed(1), drawSpread(times)];
  });
  return table(['a claim on', 'waiting claims', 'p50 ms', 'times its time without them'], lines);
}
