import type { mongo } from 'mongoose';
import type { Database } from '../mongo/database.ts';
import { QUEUED, type OperationDoc } from '../mongo/documents.ts';
import { QUEUED_INDEX } from '../mongo/indexes.ts';
import { ofRun, toBatchDoc, toOperation } from './mapping.ts';
import type { Operation } from './operation.ts';
import type { CancelledPage, QueuedCancellation, QueuedRange, QueuedStore } from './ports.ts';

/** Neither refused nor about to be cancelled by another request. */
const TO_RUN = { error: null, cancellation: null } as const;

export class MongoQueuedStore implements QueuedStore {
  private readonly database: Database;

  constructor(database: Database) {
    this.database = database;
  }

  async range(campaignId: string): Promise<QueuedRange | undefined> {
    const { operations } = this.database.models;
    const end = async (direction: 1 | -1): Promise<number | undefined> => {
      const found = operations.findOne({ campaignId, ...QUEUED }, { sequence: 1 }).sort({ sequence: direction });
      return (await found.hint(QUEUED_INDEX).lean<Pick<OperationDoc, 'sequence'>>())?.sequence;
    };
    const [first, last] = [await end(1), await end(-1)];
    return first === undefined || last === undefined ? undefined : { first, last };
  }

  async cancel(queue: QueuedCancellation, limit: number): Promise<CancelledPage> {
    return this.database.transaction(async (session) => {
      const { page, next } = await this.readPage(queue, limit, session);
      const waiting = page.filter(({ state }) => state === QUEUED.state);
      // A reopened operation has batches, which its receipt counts.
      const reopened = waiting.filter(isReopened);
      const fresh = waiting.filter((operation) => !isReopened(operation));
      const ended = fresh.map((operation) => cancelled(operation, queue));
      await this.end(ended, session);
      const before = page.filter(({ state }) => state !== QUEUED.state);
      return { cancelled: [...before, ...ended], reopened, ...(next !== undefined && { next }) };
    });
  }

  /** Reads the next operations to cancel, and those that the same request has cancelled before. */
  private async readPage(
    { campaignId, first, last, cancellation }: QueuedCancellation,
    limit: number,
    session: mongo.ClientSession,
  ): Promise<{ page: Operation[]; next?: number }> {
    const sequence = { ...QUEUED.sequence, $gte: first, $lte: last };
    const { operations } = this.database.models;
    const read = (filter: mongo.Document): Promise<OperationDoc[]> =>
      operations
        .find({ campaignId, sequence, ...filter }, null, { session, limit, batchSize: limit + 1 })
        .sort({ sequence: 1 })
        .lean<OperationDoc[]>();
    const waiting = await read({ state: QUEUED.state, ...TO_RUN });
    const before = await read({ state: 'cancelled', 'cancellation.at': cancellation.at });
    // A full page may have a successor, so the other one is read only as far.
    const full = [waiting, before].flatMap((docs) => (docs.length < limit ? [] : (docs.at(-1)?.sequence ?? last)));
    const end = Math.min(last, ...full);
    const page = [...waiting, ...before].filter((doc) => doc.sequence <= end).map(toOperation);
    return { page, ...(end < last && { next: end + 1 }) };
  }

  /** Nothing was planned, so the end marker is the only batch. */
  private async end(ended: readonly Operation[], session: mongo.ClientSession): Promise<void> {
    if (ended.length === 0) return;
    const { operations, batches } = this.database;
    const updates = ended.map(({ state, receipt, cancellation, endedAt, ...run }) => ({
      updateOne: {
        filter: { ...ofRun(run), state: QUEUED.state, ...TO_RUN } as mongo.Filter<OperationDoc>,
        update: { $set: { state, receipt, cancellation, endedAt } },
      },
    }));
    const { matchedCount } = await operations.bulkWrite(updates, { session });
    // The reads and the writes are in one transaction, so they see the same operations.
    if (matchedCount !== ended.length) throw new Error(`${matchedCount} of ${ended.length} operations were cancelled`);
    const after = { position: null, loads: [], planned: 0 };
    const markers = ended.map(({ operationId, campaignId, endedAt }) =>
      toBatchDoc(
        { operationId, campaignId, number: 1, moves: [], skips: [], after },
        'end-marker',
        endedAt ?? this.database.now(),
      ),
    );
    await batches.insertMany(markers, { session });
  }
}

function isReopened({ plan, reopened }: Operation): boolean {
  return plan !== null || reopened !== undefined;
}

function cancelled(operation: Operation, { cancellation, receiptOf }: QueuedCancellation): Operation {
  return { ...operation, state: 'cancelled', receipt: receiptOf(operation), cancellation, endedAt: cancellation.at };
}
