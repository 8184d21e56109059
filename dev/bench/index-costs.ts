import { table } from '../../src/cli/terminal.ts';
import { INDEXES, type Index } from '../../src/mongo/indexes.ts';
import { specOf } from '../../src/mongo/layout-plan.ts';
import type { BenchSandbox } from './bench-sandbox.ts';
import { drawSpread, ratioOf, type Spread, timed } from './spread.ts';

export interface IndexRow {
  /** The index that is missing. */
  readonly without: string;
  readonly conversations: number;
  /** The time of raw moves and of reads without hints, divided by their time with all indexes in the same round. */
  readonly writes: Spread;
  readonly reads: Spread;
}

export interface IndexCostOptions {
  readonly conversations: number;
  readonly rounds: number;
}

interface Times {
  readonly writes: number[];
  readonly reads: number[];
}

/**
 * Measures writes and reads without each index of conversations in turn. No index is dropped because of the development server
 * alone: it writes an entry into every index for each update, and MongoDB only into those whose keys change.
 */
export async function benchIndexCosts(
  bench: BenchSandbox,
  { conversations, rounds }: IndexCostOptions,
): Promise<IndexRow[]> {
  const campaignId = await bench.seedCampaign(1, conversations);
  const { conversations: collection } = bench.sandbox.context.database;
  const indexes = INDEXES.filter((index) => index.collection === 'conversations');
  const whole: Times = { writes: [], reads: [] };
  const without = new Map<string, Times>(indexes.map(({ name }) => [name, { writes: [], reads: [] }]));
  const measure = async ({ writes, reads }: Times): Promise<void> => {
    writes.push(await timed(() => moveAwayAndBack(bench, campaignId)));
    reads.push(await timed(() => readAll(bench, campaignId)));
  };
  await moveAwayAndBack(bench, campaignId);
  for (let round = 0; round < rounds; round += 1) {
    await measure(whole);
    for (const index of indexes) {
      await collection.dropIndex(index.name);
      await measure(without.get(index.name) ?? whole);
      await rebuild(bench, index);
    }
    process.stderr.write('.');
  }
  await bench.deleteConversations(campaignId);
  return [...without].map(([name, own]) => ({
    without: name,
    conversations,
    writes: ratioOf(own.writes, whole.writes),
    reads: ratioOf(own.reads, whole.reads),
  }));
}

async function rebuild({ sandbox }: BenchSandbox, index: Index): Promise<void> {
  await sandbox.context.database.command({ createIndexes: index.collection, indexes: [specOf(index)] });
}

async function moveAwayAndBack({ sandbox }: BenchSandbox, campaignId: string): Promise<void> {
  const { conversations } = sandbox.context.database;
  const all = { campaignId, status: 'not-started' } as const;
  await conversations.updateMany({ ...all, assigneeId: null }, { $set: { assigneeId: 't0' } });
  await conversations.updateMany({ ...all, assigneeId: 't0' }, { $set: { assigneeId: null } });
}

const PAGE = 2_000;

/** A count by assignee and status, a page of the pool, and a page of everyone. The server chooses the indexes. */
async function readAll({ sandbox }: BenchSandbox, campaignId: string): Promise<void> {
  const { conversations } = sandbox.context.database;
  const groups = { _id: { assigneeId: '$assigneeId', status: '$status' }, count: { $sum: 1 } };
  await conversations.aggregate([{ $match: { campaignId } }, { $group: groups }]).toArray();
  const inOrder = { sort: { waitingSince: 1, _id: 1 }, limit: PAGE, batchSize: PAGE + 1 } as const;
  await conversations.find({ campaignId, assigneeId: null, status: 'not-started' }, inOrder).toArray();
  await conversations.find({ campaignId, status: 'not-started' }, inOrder).toArray();
}

export function drawIndexCosts(rows: readonly IndexRow[]): string {
  const lines = rows.map(({ without, conversations, writes, reads }) => [
    without,
    conversations,
    drawSpread(writes),
    drawSpread(reads),
  ]);
  return table(['without', 'conversations', 'time of writes', 'time of reads'], lines);
}
