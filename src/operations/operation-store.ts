import type { mongo, QueryFilter, UpdateQuery } from 'mongoose';
import { endWaitingClaims } from '../claims/index.ts';
import { ENDED_STATES, statesBefore, UNFINISHED_STATES, type Cancellation } from '../domain/operation.ts';
import type { StoredError } from '../domain/stored-error.ts';
import type { Database } from '../mongo/database.ts';
import { isDuplicateKey } from '../mongo/server-errors.ts';
import type { ClaimDoc, OperationDoc } from '../mongo/documents.ts';
import type { Models } from '../mongo/models.ts';
import type { OneRequest } from './contract.ts';
import { findAccepted, insertOperation, insertOperations, nextSequence, replaceRefused } from './insert-operation.ts';
import { endAtOnce, storeEnding, MongoEndReads } from './ending-store.ts';
import { NOT_STOPPED, ofRun, toOperation, toOperationOrClaim } from './mapping.ts';
import { NO_SEQUENCE, type Operation, type OperationOrClaim, type Plan, type Run } from './operation.ts';
import type {
  DecideMove,
  Ending,
  EndReads,
  MovedOperation,
  OperationStore,
  PlannedMove,
  Start,
  WholeOperation,
} from './ports.ts';
import { insertMovedOperations, moveNow } from './single-moves.ts';

export class MongoOperationStore implements OperationStore {
  private readonly database: Database;
  private readonly operations: Models['operations'];
  private readonly queuedMax: number;

  /** `queuedMax`: how many bulk operations of one campaign may wait. */
  constructor(database: Database, queuedMax: number) {
    this.database = database;
    this.queuedMax = queuedMax;
    this.operations = database.models.operations;
  }

  async find(operationId: string): Promise<Operation | undefined> {
    const doc = await this.operations.findById(operationId).lean<OperationDoc>();
    return doc ? toOperation(doc) : undefined;
  }

  async findOperationOrClaim(operationId: string): Promise<OperationOrClaim | undefined> {
    const filter = { _id: operationId, expiring: { $exists: false } };
    const doc = await this.operations.findOne(filter).lean<OperationDoc | ClaimDoc>();
    return doc ? toOperationOrClaim(doc) : undefined;
  }

  async accept(operation: Omit<Operation, 'sequence'>, inSequence: boolean): Promise<Operation> {
    const insert = async (sequence: number, session?: mongo.ClientSession): Promise<Operation> => {
      const accepted = { ...operation, sequence };
      await insertOperation(this.database, accepted, session);
      return accepted;
    };
    try {
      if (!inSequence) return await insert(NO_SEQUENCE);
      return await this.database.transaction(async (session) =>
        insert(
          await nextSequence(this.database, operation.campaignId, { queuedMax: this.queuedMax, session }),
          session,
        ),
      );
    } catch (error) {
      if (!isDuplicateKey(error)) throw error;
      return this.expect(operation.operationId);
    }
  }

  async acceptAnew(operation: Omit<Operation, 'sequence'>): Promise<Operation> {
    await replaceRefused(this.database, operation, this.queuedMax);
    return this.expect(operation.operationId);
  }

  acceptMany(operations: readonly Omit<Operation, 'sequence'>[]): Promise<readonly Operation[] | undefined> {
    return insertOperations(this.database, operations, this.queuedMax);
  }

  acceptedAmong(operationIds: readonly string[]): Promise<ReadonlyMap<string, 'accepted' | 'resendable'>> {
    return findAccepted(this.database, operationIds);
  }

  async knownAmong(operationIds: readonly string[]): Promise<ReadonlySet<string>> {
    const options = { projection: { _id: 1 }, batchSize: operationIds.length + 1 } as const;
    const found = this.database.operations.find({ _id: { $in: [...operationIds] } }, options);
    return new Set((await found.toArray()).map(({ _id }) => _id));
  }

  moveNow(request: OneRequest, decide: DecideMove): Promise<Operation | undefined> {
    return moveNow(this.database, request, decide);
  }

  async endedAmong(operationIds: readonly string[]): Promise<readonly Operation[]> {
    const filter = { _id: { $in: [...operationIds] }, state: { $in: [...ENDED_STATES] } };
    const options = { batchSize: operationIds.length + 1 } as const;
    const found = await this.operations.find(filter, null, options).lean<OperationDoc[]>();
    return found.map(toOperation);
  }

  insertDone(moves: readonly PlannedMove[], at: Date, ended: Promise<readonly MovedOperation[]>): Promise<boolean> {
    return insertMovedOperations(this.database, moves, at, ended);
  }

  async start(operation: Operation, { takesLock, plan, startedAt }: Start): Promise<Operation | undefined> {
    // A unique index lets one operation of a campaign have the lock: another one gets a duplicate key error.
    const lock = takesLock ? { campaignLock: operation.campaignId } : {};
    const filter = { ...ofRun(operation), state: { $in: [...statesBefore('running')] } } as mongo.Filter<OperationDoc>;
    const $set = { state: 'running', plan, startedAt, ...lock } as Partial<OperationDoc>;
    try {
      const doc = await this.database.operations.findOneAndUpdate(filter, { $set }, { returnDocument: 'after' });
      const started = doc ? toOperation(doc) : await this.expect(operation.operationId);
      // Still accepted: it was reopened meanwhile, and has to wait for its new number.
      return started.state === 'accepted' ? undefined : started;
    } catch (error) {
      if (isDuplicateKey(error)) return undefined;
      throw error;
    }
  }

  async mustWait({ campaignId, sequence }: Pick<Operation, 'campaignId' | 'sequence'>): Promise<boolean> {
    const earlier = { $gt: NO_SEQUENCE, $lt: sequence };
    const unfinished = { campaignId, state: { $in: [...UNFINISHED_STATES] }, sequence: earlier };
    // Accepted operations are read before running ones. In the other order, one that starts meanwhile could be in neither.
    return (await this.operations.exists(unfinished).sort({ state: 1, sequence: 1 })) !== null;
  }

  async storePlan(run: Run, plan: Plan, startedAt: Date): Promise<Operation> {
    const unplanned = { ...ofRun(run), state: 'running', plan: null, ...NOT_STOPPED } as const;
    const filter = { ...unplanned, _id: run.operationId } as mongo.Filter<OperationDoc>;
    const $set = { plan, startedAt } as Partial<OperationDoc>;
    const doc = await this.database.operations.findOneAndUpdate(filter, { $set }, { returnDocument: 'after' });
    return doc ? toOperation(doc) : this.expect(run.operationId);
  }

  async endClaimsOfSources(
    run: Operation,
    { sources }: Plan,
  ): Promise<{ operation: Operation; claimIds: readonly string[] }> {
    const { operationId, campaignId } = run;
    const texterIds = sources.filter((assignee) => assignee !== null);
    const claimIds = await this.database.transaction(async (session) => {
      const before = { ...ofRun(run), state: 'running' as const, claimsEnded: { $exists: false } };
      const { matchedCount } = await this.operations.updateOne(before, { $set: { claimsEnded: 0 } }, { session });
      if (matchedCount === 0) return [];
      const ended = await endWaitingClaims(this.database, { campaignId, texterIds }, 'unassigned', session);
      const $set = { claimsEnded: ended.length };
      if (ended.length > 0) await this.operations.updateOne({ _id: operationId }, { $set }, { session });
      return ended;
    });
    return { operation: await this.expect(operationId), claimIds };
  }

  async recordError(run: Run, error: StoredError): Promise<Operation> {
    return this.record(run, 'failed', { error });
  }

  async recordCancellation(run: Run, cancellation: Cancellation): Promise<Operation> {
    return this.record(run, 'cancelled', { cancellation });
  }

  async isStopped(run: Run): Promise<boolean> {
    return (await this.operations.exists({ ...ofRun(run), state: 'running', ...NOT_STOPPED })) === null;
  }

  async end(run: Operation, decide: (reads: EndReads) => Promise<Ending>): Promise<Operation> {
    const ended = await this.database.transaction(async (session) => {
      const ending = await decide(new MongoEndReads(this.database, run, session));
      return storeEnding(this.database, run, ending, session);
    });
    return ended ? toOperation(ended) : this.expect(run.operationId);
  }

  endAtOnce(
    whole: WholeOperation,
    decide: (reads: Pick<EndReads, 'credits'>) => Promise<Ending>,
  ): Promise<Operation | undefined> {
    return endAtOnce(this.database, whole, decide);
  }

  async nextOperation(campaignId: string): Promise<Operation | undefined> {
    const firstIn = (state: 'running' | 'accepted') =>
      this.first({ campaignId, state, sequence: { $gt: NO_SEQUENCE } });
    const [running, accepted] = await Promise.all([firstIn('running'), firstIn('accepted')]);
    return running ?? accepted;
  }

  private async record(
    run: Run,
    state: 'failed' | 'cancelled',
    reason: Partial<Pick<OperationDoc, 'error' | 'cancellation'>>,
  ): Promise<Operation> {
    const before = { ...ofRun(run), state: { $in: [...statesBefore(state)] }, ...NOT_STOPPED };
    return this.update(run.operationId, before, { $set: reason });
  }

  /** Updates an operation that matches the guard. Returns the operation as it is stored then. */
  private async update(
    operationId: string,
    guard: QueryFilter<OperationDoc>,
    update: UpdateQuery<OperationDoc>,
  ): Promise<Operation> {
    const filter = { ...guard, _id: operationId };
    const doc = await this.operations
      .findOneAndUpdate(filter, update, { returnDocument: 'after' })
      .lean<OperationDoc>();
    return doc ? toOperation(doc) : this.expect(operationId);
  }

  private async first(filter: QueryFilter<OperationDoc>): Promise<Operation | undefined> {
    const doc = await this.operations.findOne(filter).sort({ sequence: 1 }).lean<OperationDoc>();
    return doc ? toOperation(doc) : undefined;
  }

  private async expect(operationId: string): Promise<Operation> {
    const operation = await this.find(operationId);
    if (!operation) throw new Error(`operation ${operationId} has been deleted from the database`);
    return operation;
  }
}
