import { nextOperationCount } from '../campaigns/index.ts';
import type { mongo, QueryFilter } from 'mongoose';
import { FAILED_ATTEMPTS_KEPT_MAX, type FailedAttempt } from '../domain/stored-error.ts';
import { RETRYABLE_CODES } from '../domain/operation.ts';
import { stream, type Database } from '../mongo/database.ts';
import { batchIdsOf, type OperationDoc } from '../mongo/documents.ts';
import { STATE_INDEX } from '../mongo/indexes.ts';
import { continuePartlyApplied } from './batch-store.ts';
import { toAnyOperation, toOperation } from './mapping.ts';
import { NO_SEQUENCE, type Operation } from './operation.ts';
import type { FailureStore } from './ports.ts';
import type { AnyOperation } from './view-ports.ts';

const FAILED_PAGE = 100;

const RETRYABLE = { state: 'failed', 'error.code': { $in: [...RETRYABLE_CODES] } } as const;

export class MongoFailureStore implements FailureStore {
  private readonly database: Database;

  constructor(database: Database) {
    this.database = database;
  }

  async note(operationId: string, requestHash: string, attempt: FailedAttempt): Promise<void> {
    await this.database.models.operations.updateOne(
      { _id: operationId, requestHash },
      { $push: { failures: { $each: [attempt], $slice: -FAILED_ATTEMPTS_KEPT_MAX } } },
    );
  }

  async *failedOperations(campaignId: string | undefined): AsyncGenerator<AnyOperation> {
    const filter = { ...RETRYABLE, ...(campaignId !== undefined && { campaignId }) };
    const found = this.database.models.operations.find(filter).sort({ acceptedAt: 1, _id: 1 }).hint(STATE_INDEX);
    for await (const doc of stream<OperationDoc>(found, FAILED_PAGE)) yield toAnyOperation(doc);
  }

  async reopen(operationId: string): Promise<Operation | undefined> {
    return this.database.transaction((session) => this.reopenIn(session, operationId));
  }

  /** The update repeats the filter, so that only one of two processes that reopen the same operation changes it. */
  private async reopenIn(session: mongo.ClientSession, operationId: string): Promise<Operation | undefined> {
    const { operations, batches } = this.database.models;
    const retryable: QueryFilter<OperationDoc> = {
      _id: operationId,
      ...RETRYABLE,
      expiring: { $exists: false },
    };
    const found = await operations
      .findOne(retryable, { campaignId: 1, sequence: 1 }, { session })
      .lean<Pick<OperationDoc, 'campaignId' | 'sequence'>>();
    if (!found) return undefined;
    const needsCampaignLock = found.sequence !== NO_SEQUENCE;
    const sequence = needsCampaignLock
      ? await nextOperationCount(this.database, found.campaignId, 1, session)
      : NO_SEQUENCE;
    const $set = { state: 'accepted', sequence, receipt: null, error: null, endedAt: null } as const;
    const reopened = await operations
      .findOneAndUpdate(retryable, { $set, $inc: { reopened: 1 } }, { session, returnDocument: 'after' })
      .lean<OperationDoc>();
    if (!reopened) return undefined;
    const _id = batchIdsOf(operationId);
    await batches.deleteMany({ _id, state: 'end-marker' }, { session });
    await batches.updateMany({ _id, state: 'dropped' }, { $set: { state: 'planned' } }, { session });
    await continuePartlyApplied(this.database, operationId, session);
    return toOperation(reopened);
  }
}
