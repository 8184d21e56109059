import type { QueryFilter } from 'mongoose';
import { DamagedRecord, readOrDamaged } from '../mongo/stored-values.ts';
import { RETRYABLE_CODES } from '../domain/operation.ts';
import { IN_ONE_BATCH, type Database } from '../mongo/database.ts';
import { batchId, batchIdsOf, QUEUED, type BatchDoc, type OperationDoc } from '../mongo/documents.ts';
import { LOCK_INDEX, NEWEST_INDEX, QUEUED_INDEX } from '../mongo/indexes.ts';
import { toAnyOperation, toBatch } from './mapping.ts';
import { NO_SEQUENCE } from './operation.ts';
import type {
  AnyOperation,
  BatchReads,
  OperationFilter,
  OperationPlace,
  OperationSelection,
  OperationViewStore,
  ViewedBatch,
  ViewedOperation,
} from './view-ports.ts';

function matching({ state, kind }: OperationSelection): QueryFilter<OperationDoc> {
  return { ...(state && inState(state)), ...(kind && ({ kind } as QueryFilter<OperationDoc>)) };
}

function inState(filter: OperationFilter): QueryFilter<OperationDoc> {
  const retryable = [...RETRYABLE_CODES];
  if (filter === 'refused') return { state: 'failed', 'error.code': { $nin: retryable } };
  return filter === 'failed' ? { state: filter, 'error.code': { $in: retryable } } : { state: filter };
}

function isQueued({ state, sequence }: AnyOperation): boolean {
  return state === QUEUED.state && sequence > NO_SEQUENCE;
}

/** Throws a {@link DamagedRecord} when the operation cannot be read. */
function toReadable(doc: OperationDoc): AnyOperation {
  const found = readOrDamaged('operation', doc._id, () => toAnyOperation(doc));
  if (found instanceof DamagedRecord) throw found;
  return found;
}

export class MongoOperationViewStore implements OperationViewStore {
  private readonly database: Database;

  constructor(database: Database) {
    this.database = database;
  }

  async listOperations(
    campaignId: string,
    limit: number,
    selection: OperationSelection = {},
    after?: OperationPlace,
  ): Promise<AnyOperation[]> {
    const isAfter = after && [
      { acceptedAt: { $lt: after.acceptedAt } },
      { acceptedAt: after.acceptedAt, _id: { $gt: after.operationId } },
    ];
    // The range lets a later page start in the index where the page before ended.
    const range = after && { acceptedAt: { $lte: after.acceptedAt }, $or: isAfter };
    const condition = { campaignId, ...matching(selection), ...range };
    const found = this.database.models.operations.find(condition as QueryFilter<OperationDoc>);
    const newest = found.sort({ acceptedAt: -1, _id: 1 }).hint(NEWEST_INDEX).limit(limit);
    return (await newest.lean<OperationDoc[]>()).map(toReadable);
  }

  async findOperation(operationId: string): Promise<AnyOperation | undefined> {
    const doc = await this.database.models.operations.findById(operationId).lean<OperationDoc>();
    return doc ? toReadable(doc) : undefined;
  }

  async findOperations(operationIds: readonly string[]): Promise<(AnyOperation | DamagedRecord)[]> {
    const found = this.database.models.operations.find({ _id: { $in: [...operationIds] } });
    const docs = await found.lean<OperationDoc[]>();
    return docs.map((doc) => readOrDamaged('operation', doc._id, () => toAnyOperation(doc)));
  }

  /** Counts the queue before the first of the operations that wait, and reads it only between the first and the last. */
  async withPlaces(campaignId: string, operations: readonly AnyOperation[]): Promise<ViewedOperation[]> {
    const sequences = operations.filter(isQueued).map(({ sequence }) => sequence);
    if (sequences.length === 0) return [...operations];
    const [first, last] = [Math.min(...sequences), Math.max(...sequences)];
    const { models } = this.database;
    const queued = (range: object): QueryFilter<OperationDoc> => {
      return { campaignId, state: QUEUED.state, sequence: { ...QUEUED.sequence, ...range } };
    };
    const between = models.operations.find(queued({ $gte: first, $lt: last }), { _id: 0, sequence: 1 }, IN_ONE_BATCH);
    const [before, others, running] = await Promise.all([
      models.operations.countDocuments(queued({ $lt: first })).hint(QUEUED_INDEX),
      first === last ? [] : between.hint(QUEUED_INDEX).lean<Pick<OperationDoc, 'sequence'>[]>(),
      models.operations.exists({ campaignLock: campaignId }).hint(LOCK_INDEX),
    ]);
    const aheadOf = ({ sequence }: AnyOperation): number =>
      before + others.filter((each) => each.sequence < sequence).length + (running ? 1 : 0);
    return operations.map((each) => (isQueued(each) ? { ...each, ahead: aheadOf(each) } : each));
  }

  async *batchesFrom(operationId: string, number: number, reads: BatchReads): AsyncGenerator<ViewedBatch> {
    const { atOnceMax, inAllMax } = reads;
    let next = number;
    let limit = 1;
    for (let left = inAllMax; left > 0; left -= limit, limit = Math.min(2 * limit, atOnceMax)) {
      const ids = { ...batchIdsOf(operationId), $gte: batchId(operationId, next) };
      const options = { sort: { _id: 1 }, limit, batchSize: limit + 1 } as const;
      const found = this.database.models.batches.find({ _id: ids }, null, options);
      const docs = await found.lean<BatchDoc[]>();
      for (const doc of docs) yield { ...toBatch(doc), appliedAt: doc.appliedAt };
      if (docs.length < limit) return;
      next += limit;
    }
  }
}
