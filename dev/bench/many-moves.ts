import { Types } from 'mongoose';
import { table } from '../../src/cli/terminal.ts';
import type { BenchSandbox } from './bench-sandbox.ts';
import { measure, quantile } from './load.ts';

const TEXTERS = 10;
/** Raw updates at the same time. */
const UPDATES_AT_ONCE = 20;
const WARM_UP = 60;
const WAIT = { waitMs: 600_000 };

export interface ManyMovesRow {
  readonly way: 'raw guarded updates' | 'single moves';
  readonly moves: number;
  readonly perSecond: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
}

/** Moves conversations one by one: with raw guarded updates, and with single moves that are sent at once. */
export async function benchManyMoves(
  bench: BenchSandbox,
  { moves, rounds }: { readonly moves: number; readonly rounds: number },
): Promise<ManyMovesRow[]> {
  const rows: ManyMovesRow[] = [];
  const campaignId = await bench.seedCampaign(TEXTERS, moves + WARM_UP);
  const ids = await bench.conversationIds(campaignId);
  await sendAtOnce(bench, campaignId, ids.splice(0, WARM_UP));
  for (let round = 0; round < rounds; round += 1) {
    await bench.refillPools([campaignId]);
    rows.push(await updateRaw(bench, campaignId, ids));
    await bench.refillPools([campaignId]);
    rows.push(await sendAtOnce(bench, campaignId, ids));
  }
  return rows;
}

const texterOf = (at: number): string => `t${at % TEXTERS}`;

async function updateRaw({ sandbox }: BenchSandbox, campaignId: string, ids: readonly string[]): Promise<ManyMovesRow> {
  const { conversations } = sandbox.context.database;
  let next = 0;
  const load = { askers: UPDATES_AT_ONCE, requestsMax: ids.length, durationMsMax: WAIT.waitMs };
  const { perSecond, p50Ms, p99Ms } = await measure(load, async () => {
    const at = next++;
    const filter = { _id: new Types.ObjectId(ids[at]), campaignId, assigneeId: null };
    const update = { $set: { assigneeId: texterOf(at), assignedAt: new Date() }, $inc: { assignmentVersion: 1 } };
    return (await conversations.updateOne(filter, update)).modifiedCount;
  });
  return { way: 'raw guarded updates', moves: ids.length, perSecond, p50Ms, p99Ms };
}

async function sendAtOnce(
  { sandbox }: BenchSandbox,
  campaignId: string,
  ids: readonly string[],
): Promise<ManyMovesRow> {
  const startedAt = performance.now();
  const latencies = await Promise.all(
    ids.map(async (conversationId, at) => {
      const to = { texterIds: [texterOf(at)] as const };
      const operationId = sandbox.newId('op');
      const sentAt = performance.now();
      const sent = await sandbox.producer.reassignOne({ operationId, campaignId, conversationId, to });
      const { receipt } = await sent.result(WAIT);
      if (receipt.moved !== 1) throw new Error(`conversation ${conversationId} did not move`);
      return performance.now() - sentAt;
    }),
  );
  const perSecond = (1_000 * ids.length) / (performance.now() - startedAt);
  latencies.sort((a, b) => a - b);
  const [p50Ms, p99Ms] = [quantile(latencies, 0.5), quantile(latencies, 0.99)];
  return { way: 'single moves', moves: ids.length, perSecond, p50Ms, p99Ms };
}

export function drawManyMoves(rows: readonly ManyMovesRow[]): string {
  const lines = rows.map(({ way, moves, perSecond, p50Ms, p99Ms }, at) => {
    const raw = rows[at - (at % 2)]?.perSecond ?? NaN;
    return [way, moves, perSecond.toFixed(0), (perSecond / raw).toFixed(2), p50Ms.toFixed(0), p99Ms.toFixed(0)];
  });
  return table(['way', 'moves', 'a second', 'of raw', 'p50 ms', 'p99 ms'], lines);
}
