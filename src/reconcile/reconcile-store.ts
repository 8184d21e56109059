import type { mongo } from 'mongoose';
import type { ReconcileStore } from './ports.ts';
import { ENDED_STATES, UNFINISHED_STATES, type OperationState } from '../domain/operation.ts';
import type { Database } from '../mongo/database.ts';
import { batchIdsOf, CLAIMABLE, type OperationDoc } from '../mongo/documents.ts';
import { CLAIMABLE_INDEX, STATE_INDEX } from '../mongo/indexes.ts';
import { toOperationOrClaim, type OperationOrClaim } from '../operations/index.ts';

const UNFINISHED_PAGE = 100;
const EXPIRED_PAGE = 100;

const IN_ORDER = { sort: { acceptedAt: 1, _id: 1 }, hint: STATE_INDEX } as const;

/** A place in the order of acceptance. */
interface Place {
  readonly acceptedAt: Date;
  readonly _id: string;
}

/** Reads operations and claims by state and time of acceptance, with the index made for these queries. */
export class MongoReconcileStore implements ReconcileStore {
  private readonly database: Database;

  constructor(database: Database) {
    this.database = database;
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

  async isUnfinished(operationId: string): Promise<boolean> {
    const filter = { _id: operationId, state: { $in: UNFINISHED_STATES } };
    return (await this.database.operations.findOne(filter, { projection: { _id: 1 } })) !== null;
  }

  async hasClaimable(campaignId: string): Promise<boolean> {
    const options = { projection: { _id: 1 }, hint: CLAIMABLE_INDEX };
    return (await this.database.conversations.findOne({ campaignId, ...CLAIMABLE }, options)) !== null;
  }

  /** The index has no `endedAt`. `acceptedAt` limits the documents that are read, and `endedAt` decides. */
  async markExpired(before: Date): Promise<string[]> {
    for (const state of ENDED_STATES) {
      const filter = { state, acceptedAt: { $lt: before }, endedAt: { $lt: before } };
      const options = { ...IN_ORDER, projection: { _id: 1 }, limit: EXPIRED_PAGE };
      const ids = (await this.database.operations.find(filter, options).toArray()).map(({ _id }) => _id);
      if (ids.length === 0) continue;
      await this.database.operations.updateMany({ ...filter, _id: { $in: ids } }, { $set: { expiring: true } });
      const marked = this.database.operations.find(markedOf(ids), { projection: { _id: 1 } });
      return (await marked.toArray()).map(({ _id }) => _id);
    }
    return [];
  }

  async removeExpired(operationIds: readonly string[]): Promise<void> {
    for (const id of operationIds) await this.database.batches.deleteMany({ _id: batchIdsOf(id) });
    await this.database.operations.deleteMany(markedOf(operationIds));
  }

  /** Several operations can have the same time of acceptance. Two queries with one range each use the index; `$or` would not. */
  private async page(state: OperationState, last: Place | undefined): Promise<OperationDoc[]> {
    if (!last) return this.read({ state }, UNFINISHED_PAGE);
    const { acceptedAt, _id } = last;
    const tied = await this.read({ state, acceptedAt, _id: { $gt: _id } }, UNFINISHED_PAGE);
    if (tied.length === UNFINISHED_PAGE) return tied;
    return [...tied, ...(await this.read({ state, acceptedAt: { $gt: acceptedAt } }, UNFINISHED_PAGE - tied.length))];
  }

  private read(filter: mongo.Filter<OperationDoc>, limit: number): Promise<OperationDoc[]> {
    return this.database.operations.find(filter, { ...IN_ORDER, limit }).toArray();
  }
}

/** Leaves out operations that were reopened before they could be marked. */
function markedOf(ids: readonly string[]): mongo.Filter<OperationDoc> {
  return { _id: { $in: [...ids] }, expiring: true };
}
