import { Queue, QueueEvents, Worker } from 'bullmq';
import { Types, type mongo } from 'mongoose';
import type { ConversationDoc } from '../../src/mongo/documents.ts';
import { POOL_INDEX } from '../../src/mongo/indexes.ts';
import type { Place } from '../place.ts';

export interface Dealing {
  readonly campaignId: string;
  readonly texterIds: readonly string[];
  /** At the most so many; the slow ways are measured on a part. */
  readonly conversationsMax: number;
}

/** One way to deal a campaign's pool to its texters. Says how many conversations it moved. */
export type BulkWay = (place: Place, dealing: Dealing) => Promise<number>;

/** Through the queue and back: planned, guarded, in transactions, with history and receipt. */
export const throughBaton = async (place: Place, { campaignId }: Pick<Dealing, 'campaignId'>): Promise<number> => {
  const request = { operationId: place.newId('op'), campaignId, from: 'pool', to: 'everyone', status: 'any' } as const;
  const { receipt } = await (await place.producer.reassign(request)).result({ waitMs: 3_600_000 });
  return receipt.moved;
};

/** The limit: one statement, one texter, no order, nothing kept. */
export const oneUpdateMany: BulkWay = async ({ context }, { campaignId, texterIds: [texterId = ''] }) => {
  const { modifiedCount } = await context.database.conversations.updateMany(
    { campaignId, assigneeId: null },
    given(texterId),
  );
  return modifiedCount;
};

const CHUNK = 5_000;

/** Reads in order, deals, and writes each texter's share of a chunk under its guards; keeps nothing. */
export const chunksUnaudited: BulkWay = async ({ context }, dealing) => {
  const { conversations } = context.database;
  const { campaignId, texterIds } = dealing;
  return inChunks(conversations, dealing, CHUNK, async (ids) => {
    const updates = texterIds.map((texterId, seat) => {
      const share = ids.filter((_, index) => index % texterIds.length === seat);
      return { updateMany: { filter: { _id: { $in: share }, campaignId, assigneeId: null }, update: given(texterId) } };
    });
    return (await conversations.bulkWrite(updates)).modifiedCount;
  });
};

const UPDATES = 1_000;

/** A guarded update for each conversation, a thousand in a call. */
export const updateOnePerConversation: BulkWay = async ({ context }, dealing) => {
  const { conversations } = context.database;
  const { campaignId, texterIds } = dealing;
  return inChunks(conversations, dealing, UPDATES, async (ids) => {
    const updates = ids.map((_id, index) => {
      const texterId = texterIds[index % texterIds.length] ?? '';
      return { updateOne: { filter: { _id, campaignId, assigneeId: null }, update: given(texterId) } };
    });
    return (await conversations.bulkWrite(updates)).modifiedCount;
  });
};

const SPOKE_CHUNK = 65_000;

/** Spoke's: all ids first, then each texter's by id, unguarded, in large chunks, with a row that tells how far it is. */
export const spokesWay: BulkWay = async ({ context }, { campaignId, texterIds }) => {
  const { conversations, client } = context.database;
  const progress = client.db(conversations.dbName).collection<{ _id: string; moved: number }>('bench_progress');
  const found = conversations.find({ campaignId, assigneeId: null }, { projection: { _id: 1 }, sort: IN_ORDER });
  const ids = (await found.toArray()).map(({ _id }) => _id);
  const share = Math.ceil(ids.length / texterIds.length);
  let moved = 0;
  for (const [seat, texterId] of texterIds.entries()) {
    const own = ids.slice(seat * share, (seat + 1) * share);
    for (let from = 0; from < own.length; from += SPOKE_CHUNK) {
      const chunk = own.slice(from, from + SPOKE_CHUNK);
      moved += (await conversations.updateMany({ _id: { $in: chunk } }, given(texterId))).modifiedCount;
      await progress.updateOne({ _id: campaignId }, { $set: { moved } }, { upsert: true });
    }
  }
  return moved;
};

const HELPDESK_CONCURRENCY = 16;

/** A helpdesk's: a job for each conversation, which looks it up and updates it. */
export const jobPerConversation: BulkWay = async (place, { campaignId, texterIds, conversationsMax }) => {
  const connection = { url: place.redisUrl, maxRetriesPerRequest: null };
  const name = place.newId('bench');
  const { conversations } = place.context.database;
  const queue = new Queue(name, { connection });
  const events = new QueueEvents(name, { connection });
  await events.waitUntilReady();
  let moved = 0;
  const filter = { campaignId, assigneeId: null };
  const worker = new Worker<{ id: string; texterId: string }>(
    name,
    async ({ data: { id, texterId } }) => {
      const one = { _id: new Types.ObjectId(id), ...filter };
      if (await conversations.findOneAndUpdate(one, given(texterId), { projection: { _id: 1 } })) moved += 1;
    },
    { connection, concurrency: HELPDESK_CONCURRENCY },
  );
  const found = conversations.find(filter, { projection: { _id: 1 }, sort: IN_ORDER, limit: conversationsMax });
  const ids = (await found.toArray()).map(({ _id }) => _id.toHexString());
  const jobs = ids.map((id, index) => ({ name, data: { id, texterId: texterIds[index % texterIds.length] ?? '' } }));
  const drained = new Promise<void>((resolve) => {
    worker.on('completed', () => moved === ids.length && resolve());
  });
  for (let from = 0; from < jobs.length; from += UPDATES) await queue.addBulk(jobs.slice(from, from + UPDATES));
  await drained;
  await Promise.all([worker.close(), events.close()]);
  await queue.obliterate({ force: true });
  await queue.close();
  return moved;
};

const IN_ORDER = { status: 1, waitingSince: 1, _id: 1 } as const;

function given(texterId: string): mongo.UpdateFilter<ConversationDoc> {
  return { $set: { assigneeId: texterId, assignedAt: new Date() }, $inc: { assignmentVersion: 1 } };
}

/** Reads the pool's ids in order, a chunk at a time, and hands each on once the one before it is written. */
async function inChunks(
  conversations: mongo.Collection<ConversationDoc>,
  { campaignId, conversationsMax }: Dealing,
  size: number,
  write: (ids: readonly Types.ObjectId[]) => Promise<number>,
): Promise<number> {
  let moved = 0;
  while (moved < conversationsMax) {
    // What was written has left the pool: its head is always the next chunk.
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
