import type { mongo } from 'mongoose';
import { statesBefore, type Cancellation } from '../domain/operation.ts';
import type { StoredError } from '../domain/stored-error.ts';
import { countConflict } from '../telemetry/index.ts';
import { isDuplicateKey, type Database } from '../mongo/database.ts';
import type { ClaimDoc, OperationDoc } from '../mongo/documents.ts';
import { BatchApplication, NotAsPlanned, WHOLE } from './apply-batch.ts';
import type { Batch } from './batch.ts';
import { ofRun, toOperation, toOperationOrClaim } from './mapping.ts';
import { NO_SEQUENCE, type Operation, type OperationOrClaim, type Plan, type Run } from './operation.ts';
import type { Ending, OperationStore } from './ports.ts';

/** The conflicts of a single move are counted. */
const COUNTED = { onConflict: () => countConflict('move') };

/** Neither a failure nor a cancellation is recorded. */
const NOT_STOPPED = { error: null, cancellation: null } as const;

export class MongoOperationStore implements OperationStore {
  private readonly database: Database;

  constructor(database: Database) {
    this.database = database;
  }

  async find(operationId: string): Promise<Operation | undefined> {
    const doc = await this.database.operations.findOne({ _id: operationId });
    return doc ? toOperation(doc) : undefined;
  }

  async findOperationOrClaim(operationId: string): Promise<OperationOrClaim | undefined> {
    const filter = { _id: operationId, expiring: { $exists: false } };
    const doc = await this.database.operations.findOne<OperationDoc | ClaimDoc>(filter);
    return doc ? toOperationOrClaim(doc) : undefined;
  }

  async accept(operation: Omit<Operation, 'sequence'>, inSequence: boolean): Promise<Operation> {
    const { operationId, ...rest } = operation;
    const insert = async (sequence: number, session?: mongo.ClientSession): Promise<Operation> => {
      await this.database.operations.insertOne(
        { _id: operationId, kind: rest.request.kind, ...rest, sequence },
        session ? { session } : {},
      );
      return { ...operation, sequence };
    };
    try {
      if (!inSequence) return await insert(NO_SEQUENCE);
      return await this.database.transaction(async (session) =>
        insert(await nextSequence(this.database, operation.campaignId, session), session),
      );
    } catch (error) {
      if (!isDuplicateKey(error)) throw error;
      return this.expect(operationId);
    }
  }

  async insertDone(operation: Operation, batch: Batch, endMarker: Batch): Promise<boolean> {
    const { operationId, ...rest } = operation;
    const guard = { statuses: operation.plan?.statuses ?? [], lastMovedBy: null };
    const application = new BatchApplication(this.database, batch, operation.request, { ...WHOLE, guard });
    try {
      await this.database.transaction(async (session) => {
        await this.database.operations.insertOne({ _id: operationId, kind: rest.request.kind, ...rest }, { session });
        await application.applyNew(endMarker, operation.endedAt ?? this.database.now(), session);
      }, COUNTED);
      return true;
    } catch (error) {
      if (error instanceof NotAsPlanned || isDuplicateKey(error)) return false;
      throw error;
    }
  }

  async start(operation: Operation, takesLock: boolean): Promise<Operation | undefined> {
    if (takesLock && (await this.hasEarlier(operation))) return undefined;
    // A unique index lets one operation of a campaign have the lock: another one gets a duplicate key error.
    const lock = takesLock ? { campaignLock: operation.campaignId } : {};
    try {
      const started = await this.database.operations.findOneAndUpdate(
        { _id: operation.operationId, state: { $in: [...statesBefore('running')] } },
        { $set: { state: 'running', ...lock } },
        { returnDocument: 'after' },
      );
      return started ? toOperation(started) : await this.expect(operation.operationId);
    } catch (error) {
      if (isDuplicateKey(error)) return undefined;
      throw error;
    }
  }

  async storePlan(operationId: string, plan: Plan, startedAt: Date): Promise<Operation> {
    const updated = await this.database.operations.findOneAndUpdate(
      { _id: operationId, state: 'running', plan: null, ...NOT_STOPPED },
      { $set: { plan, startedAt } },
      { returnDocument: 'after' },
    );
    return updated ? toOperation(updated) : this.expect(operationId);
  }

  async recordError(run: Run, error: StoredError): Promise<Operation> {
    return this.record(run, 'failed', { error });
  }

  async recordCancellation(run: Run, cancellation: Cancellation): Promise<Operation> {
    return this.record(run, 'cancelled', { cancellation });
  }

  async isStopped(operationId: string): Promise<boolean> {
    const running = { _id: operationId, state: 'running' as const, ...NOT_STOPPED };
    return (await this.database.operations.findOne(running, { projection: { _id: 1 } })) === null;
  }

  async end(run: Run, ending: Ending): Promise<Operation> {
    const { state, at, receipt, error } = ending;
    const ended = await this.database.operations.findOneAndUpdate(
      { ...ofRun(run), state: { $in: [...statesBefore(state)] }, ...(state === 'done' && NOT_STOPPED) },
      { $set: { state, receipt, endedAt: at, error: error ?? null }, $unset: { campaignLock: '' } },
      { returnDocument: 'after' },
    );
    return ended ? toOperation(ended) : this.expect(run.operationId);
  }

  async nextOperation(campaignId: string): Promise<Operation | undefined> {
    const running = await this.first({ campaignId, state: 'running', sequence: { $gt: NO_SEQUENCE } });
    return running ?? (await this.first({ campaignId, state: 'accepted', sequence: { $gt: NO_SEQUENCE } }));
  }

  private async record(
    run: Run,
    state: 'failed' | 'cancelled',
    reason: Partial<Pick<OperationDoc, 'error' | 'cancellation'>>,
  ): Promise<Operation> {
    const updated = await this.database.operations.findOneAndUpdate(
      { ...ofRun(run), state: { $in: [...statesBefore(state)] }, ...NOT_STOPPED },
      { $set: reason },
      { returnDocument: 'after' },
    );
    return updated ? toOperation(updated) : this.expect(run.operationId);
  }

  private async hasEarlier({ campaignId, sequence }: Operation): Promise<boolean> {
    const earlier = { $gt: NO_SEQUENCE, $lt: sequence };
    const filter = { campaignId, state: 'accepted' as const, sequence: earlier };
    return (await this.database.operations.findOne(filter, { projection: { _id: 1 } })) !== null;
  }

  private async first(filter: Parameters<Database['operations']['find']>[0]): Promise<Operation | undefined> {
    const doc = await this.database.operations.findOne(filter, { sort: { sequence: 1 } });
    return doc ? toOperation(doc) : undefined;
  }

  private async expect(operationId: string): Promise<Operation> {
    const operation = await this.find(operationId);
    if (!operation) throw new Error(`operation ${operationId} has been deleted from the database`);
    return operation;
  }
}

/** Counts up on the campaign's document, so that of two concurrent transactions one waits for the other. */
export async function nextSequence(
  database: Database,
  campaignId: string,
  session: mongo.ClientSession,
): Promise<number> {
  const campaign = await database.campaigns.findOneAndUpdate(
    { _id: campaignId },
    { $inc: { operationCount: 1 } },
    { session, returnDocument: 'after', projection: { operationCount: 1 } },
  );
  return campaign?.operationCount ?? NO_SEQUENCE;
}
