import type { mongo, QueryFilter, QueryOptions } from 'mongoose';
import type { Claim } from '../claims/index.ts';
import type { ReconcileStore } from './ports.ts';
import { ENDED_STATES, UNFINISHED_STATES, type OperationState } from '../domain/operation.ts';
import type { Database } from '../mongo/database.ts';
import { countPass } from '../mongo/database-id.ts';
import { batchIdsOf, QUEUED, type OperationDoc } from '../mongo/documents.ts';
import { BY_ID, LOCK_INDEX, QUEUED_INDEX, STATE_INDEX } from '../mongo/indexes.ts';
import {
  NO_SEQUENCE,
  toOperation,
  toOperationOrClaim,
  type Operation,
  type OperationOrClaim,
} from '../operations/index.ts';
import { WaitingReader } from './waiting-reader.ts';

const UNFINISHED_PAGE = 100;
const EXPIRED_PAGE = 100;

/** A queued operation that is to fail or to be cancelled ends without its turn. */
const NOT_QUEUED: QueryFilter<OperationDoc>[] = [
  { sequence: { $not: { $gt: NO_SEQUENCE } } },
  { error: { $ne: null } },
  { cancellation: { $ne: null } },
];

const IN_ORDER = { sort: { acceptedAt: 1, _id: 1 }, hint: STATE_INDEX } as const;

/** A place in the order of acceptance. */
interface Place {
  readonly acceptedAt: Date;
  readonly _id: string;
}

/** Reads operations and claims by state and time of acceptance, with the index made for these queries. */
export class MongoReconcileStore implements ReconcileStore {
  private readonly database: Database;
  private readonly waiting: WaitingReader;

  constructor(database: Database) {
    this.database = database;
    this.waiting = new WaitingReader(database);
  }

  async *unfinished(): AsyncGenerator<OperationOrClaim[]> {
    for (const state of UNFINISHED_STATES) {
      let last: Place | undefined;
      do {
        const page = await this.page(state, last);
        if (page.length > 0) yield page.map(toOperationOrClaim);
        last = page.at(-1);
      } while (last);
    }
  }

  async *firstQueued(): AsyncGenerator<Operation> {
    const { operations } = this.database.models;
    for (let campaignId = ''; ;) {
      const later = operations.findOne({ ...QUEUED, campaignId: { $gt: campaignId } });
      const doc = await later.sort({ campaignId: 1, sequence: 1 }).hint(QUEUED_INDEX).lean<OperationDoc>();
      if (!doc) return;
      yield toOperation(doc);
      campaignId = doc.campaignId;
    }
  }

  async *queued(campaignId: string): AsyncGenerator<Operation[]> {
    const { operations } = this.database.models;
    for (let last = NO_SEQUENCE; ;) {
      const later = operations.find({ campaignId, state: QUEUED.state, sequence: { $gt: last } });
      const options = { limit: UNFINISHED_PAGE, batchSize: UNFINISHED_PAGE + 1, hint: QUEUED_INDEX } as const;
      const docs = await later.sort({ sequence: 1 }).setOptions(options).lean<OperationDoc[]>();
      if (docs.length === 0) return;
      yield docs.map(toOperation);
      last = docs.at(-1)?.sequence ?? last;
    }
  }

  async hasRunning(campaignId: string): Promise<boolean> {
    const running = this.database.models.operations.exists({ campaignLock: campaignId }).hint(LOCK_INDEX);
    return (await running) !== null;
  }

  async isUnfinished(operationId: string): Promise<boolean> {
    const filter = { _id: operationId, state: { $in: UNFINISHED_STATES } };
    return (await this.database.models.operations.exists(filter)) !== null;
  }

  firstWaiting(): AsyncGenerator<Claim> {
    return this.waiting.first();
  }

  waitingOf(campaignId: string): AsyncGenerator<Claim[]> {
    return this.waiting.of(campaignId);
  }

  nextWaiting(): Promise<Claim[]> {
    return this.waiting.next();
  }

  overdueClaims(): AsyncGenerator<Claim[]> {
    return this.waiting.overdue();
  }

  claimsToWake(): AsyncGenerator<Claim[]> {
    return this.waiting.toWake();
  }

  /** The index has no `endedAt`. `acceptedAt` limits the documents that are read, and `endedAt` decides. */
  async markExpired(before: Date): Promise<string[]> {
    for (const state of ENDED_STATES) {
      const filter = { state, acceptedAt: { $lt: before }, endedAt: { $lt: before } };
      const ids = await this.findIds(filter, { ...IN_ORDER, limit: EXPIRED_PAGE });
      if (ids.length === 0) continue;
      const inPage = { ...filter, _id: { $in: ids } };
      await this.database.operations.updateMany(inPage, { $set: { expiring: true } }, { hint: BY_ID });
      return this.findIds(markedOf(ids), { hint: BY_ID });
    }
    return [];
  }

  countPass(): ReturnType<ReconcileStore['countPass']> {
    return countPass(this.database);
  }

  async knownAmong(operationIds: readonly string[]): Promise<ReadonlySet<string>> {
    return new Set(await this.findIds({ _id: { $in: [...operationIds] } }, { hint: BY_ID }));
  }

  async removeExpired(operationIds: readonly string[]): Promise<void> {
    for (const id of operationIds) await this.database.models.batches.deleteMany({ _id: batchIdsOf(id) });
    await this.database.models.operations.deleteMany(markedOf(operationIds));
  }

  /** Several operations can have the same time of acceptance. Two queries with one range each use the index; `$or` would not. */
  private async page(state: OperationState, last: Place | undefined): Promise<OperationDoc[]> {
    const notWaiting = { 'waiting.until': { $exists: false } };
    const inState = state === 'accepted' ? { state, $or: NOT_QUEUED, ...notWaiting } : { state };
    if (!last) return this.read(inState, UNFINISHED_PAGE);
    const { acceptedAt, _id } = last;
    const tied = await this.read({ ...inState, acceptedAt, _id: { $gt: _id } }, UNFINISHED_PAGE);
    if (tied.length === UNFINISHED_PAGE) return tied;
    const later = { ...inState, acceptedAt: { $gt: acceptedAt } };
    return [...tied, ...(await this.read(later, UNFINISHED_PAGE - tied.length))];
  }

  private async read(filter: QueryFilter<OperationDoc>, limit: number): Promise<OperationDoc[]> {
    // The model of all kinds does not know the fields of claims.
    const found = this.database.operations.find(filter as mongo.Filter<OperationDoc>, { ...IN_ORDER, limit });
    return found.toArray();
  }

  private async findIds(filter: QueryFilter<OperationDoc>, options: QueryOptions = {}): Promise<string[]> {
    const found = this.database.models.operations.find(filter, { _id: 1 }, options);
    return (await found.lean<Pick<OperationDoc, '_id'>[]>()).map(({ _id }) => _id);
  }
}

/** Leaves out operations that were reopened before they could be marked. */
function markedOf(ids: readonly string[]): QueryFilter<OperationDoc> {
  return { _id: { $in: [...ids] }, expiring: true };
}
