import { Queue, QueueEvents, Worker } from 'bullmq';
import { Types, type mongo } from 'mongoose';
import type { ConversationDoc } from '../../src/mongo/documents.ts';
import type { Sandbox } from '../sandbox.ts';
import { POOL_INDEX } from '../../src/mongo/indexes.ts';

export interface Dealing {
  readonly campaignId: string;
  readonly texterIds: readonly string[];
  /** Slow ways deal only this many. */
  readonly conversationsMax: number;
}

/** One way to deal the pool of a campaign to its texters. Returns the number of conversations that it moved. */
export type BulkWay = (sandbox: Sandbox, dealing: Dealing) => Promise<number>;

/** Baton: through the queue, planned, guarded, in transactions, with history and receipt. */
export const throughBaton = async (sandbox: Sandbox, { campaignId }: Pick<Dealing, 'campaignId'>): Promise<number> => {
  const request = {
    operationId: sandbox.newId('op'),
    campaignId,
    from: 'pool',
    to: 'everyone',
    status: 'any',
  } as const;
  const { receipt } = await (await sandbox.producer.reassign(request)).result({ waitMs: 3_600_000 });
  return receipt.moved;
};

/** The upper limit: one statement, one texter, no order, no receipt. */
export const oneUpdateMany: BulkWay = async ({ context }, { campaignId, texterIds: [texterId = ''] }) => {
  const { modifiedCount } = await context.database.conversations.updateMany(
    { campaignId, assigneeId: null },
    assignedTo(texterId),
  );
  return modifiedCount;
};

const BATCH = 5_000;

/** Reads in order and writes the share of each texter with guards, but without history or receipt. */
export const batchesWithoutReceipt: BulkWay = async ({ context }, dealing) => {
  const { conversations } = context.database;
  const { campaignId, texterIds } = dealing;
  return inBatches(conversations, dealing, BATCH, async (ids) => {
    const updates = texterIds.map((texterId, seat) => {
      const share = ids.filter((_, index) => index % texterIds.length === seat);
      return {
        updateMany: { filter: { _id: { $in: share }, campaignId, assigneeId: null }, update: assignedTo(texterId) },
      };
    });
    return (await conversations.bulkWrite(updates)).modifiedCount;
  });
};

const UPDATES_PER_CALL = 1_000;

/** One guarded update for each conversation, a thousand in one call. */
export const updateOnePerConversation: BulkWay = async ({ context }, dealing) => {
  const { conversations } = context.database;
  const { campaignId, texterIds } = dealing;
  return inBatches(conversations, dealing, UPDATES_PER_CALL, async (ids) => {
    const updates = ids.map((_id, index) => {
      const texterId = texterIds[index % texterIds.length] ?? '';
      return { updateOne: { filter: { _id, campaignId, assigneeId: null }, update: assignedTo(texterId) } };
    });
    return (await conversations.bulkWrite(updates)).modifiedCount;
  });
};

const SPOKE_BATCH = 65_000;

/** Spoke: reads all ids, then updates the ids of each texter without guards in large batches, and stores its progress. */
export const spokesWay: BulkWay = async ({ context }, { campaignId, texterIds }) => {
  const { conversations, client } = context.database;
  const progress = client.db(conversations.dbName).collection<{ _id: string; moved: number }>('bench_progress');
  const found = conversations.find({ campaignId, assigneeId: null }, { projection: { _id: 1 }, sort: IN_ORDER });
  const ids = (await found.toArray()).map(({ _id }) => _id);
  const share = Math.ceil(ids.length / texterIds.length);
  let moved = 0;
  for (const [seat, texterId] of texterIds.entries()) {
    const own = ids.slice(seat * share, (seat + 1) * share);
    for (let from = 0; from < own.length; from += SPOKE_BATCH) {
      const batch = own.slice(from, from + SPOKE_BATCH);
      moved += (await conversations.updateMany({ _id: { $in: batch } }, assignedTo(texterId))).modifiedCount;
      await progress.updateOne({ _id: campaignId }, { $set: { moved } }, { upsert: true });
    }
  }
  return moved;
};

const HELPDESK_CONCURRENCY = 16;

/** A helpdesk: one job for each conversation, which finds and updates it. */
export const jobPerConversation: BulkWay = async (sandbox, { campaignId, texterIds, conversationsMax }) => {
  const connection = { url: sandbox.redisUrl, maxRetriesPerRequest: null };
  const name = sandbox.newId('bench');
  const { conversations } = sandbox.context.database;
  const queue = new Queue(name, { connection });
  const events = new QueueEvents(name, { connection });
  await events.waitUntilReady();
  let moved = 0;
  const filter = { campaignId, assigneeId: null };
  const worker = new Worker<{ id: string; texterId: string }>(
    name,
    async ({ data: { id, texterId } }) => {
      const one = { _id: new Types.ObjectId(id), ...filter };
      if (await conversations.findOneAndUpdate(one, assignedTo(texterId), { projection: { _id: 1 } })) moved += 1;
    },
    { connection, concurrency: HELPDESK_CONCURRENCY },
  );
  const found = conversations.find(filter, { projection: { _id: 1 }, sort: IN_ORDER, limit: conversationsMax });
  const ids = (await found.toArray()).map(({ _id }) => _id.toHexString());
  const jobs = ids.map((id, index) => ({ name, data: { id, texterId: texterIds[index % texterIds.length] ?? '' } }));
  const drained = new Promise<void>((resolve) => {
    worker.on('completed', () => moved === ids.length && resolve());
  });
  for (let from = 0; from < jobs.length; from += UPDATES_PER_CALL)
    await queue.addBulk(jobs.slice(from, from + UPDATES_PER_CALL));
  await drained;
  await Promise.all([worker.close(), events.close()]);
  await queue.obliterate({ force: true });
  await queue.close();
  return moved;
};

const IN_ORDER = { status: 1, waitingSince: 1, _id: 1 } as const;

function assignedTo(texterId: string): mongo.UpdateFilter<ConversationDoc> {
  return { $set: { assigneeId: texterId, assignedAt: new Date() }, $inc: { assignmentVersion: 1 } };
}

/** Reads the ids of the pool in order, one batch at a time. Writes each batch before it reads the next. */
async function inBatches(
  conversations: mongo.Collection<ConversationDoc>,
  { campaignId, conversationsMax }: Dealing,
  size: number,
  write: (ids: readonly Types.ObjectId[]) => Promise<number>,
): Promise<number> {
  let moved = 0;
  while (moved < conversationsMax) {
    // Written conversations have left the pool, so its first ones are always the next batch.
    const head = conversations.find(
      { campaignId, assigneeId: null, status: 'not-started' },
      {
        projection: { _id: 1 },
        sort: { waitingSince: 1, _id: 1 },
        limit: Math.min(size, conversationsMax - moved),
        hint: POOL_INDEX,
        batchSize: size + 1,
      },
    );
    const ids = (await head.toArray()).map(({ _id }) => _id);
    if (ids.length === 0) return moved;
    moved += await write(ids);
  }
  return moved;
}
