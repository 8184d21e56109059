import type { mongo } from 'mongoose';
import type { Ending, OperationStore } from './ports.ts';
import type { Batch } from './batch.ts';
import { statesBefore, type Cancellation } from '../domain/operation.ts';
import type { StoredError } from '../domain/stored-error.ts';
import { NO_SEQUENCE, type Operation, type Plan, type Run } from './operation.ts';
import { needsCampaignLock } from './request.ts';
import type { Recorded } from './undo-rules.ts';
import { BatchApplication, NotAsPlanned } from './apply-batch.ts';
import { toClaim } from '../claims/index.ts';
import { isDuplicateKey, type Database } from '../mongo/database.ts';
import type { ClaimDoc, OperationDoc } from '../mongo/documents.ts';
import { ofRun, toOperation } from './operation-mapping.ts';
import { nextSequence } from './sequence.ts';

/** Nobody has begun to end it otherwise than as done. */
const NOTHING_NOTED = { error: null, cancellation: null } as const;

export class MongoOperationStore implements OperationStore {
  private readonly database: Database;

  constructor(database: Database) {
    this.database = database;
  }

  async find(operationId: string): Promise<Operation | undefined> {
    const doc = await this.database.operations.findOne({ _id: operationId });
    return doc ? toOperation(doc) : undefined;
  }

  async findRecorded(operationId: string): Promise<Recorded | undefined> {
    const kept = { _id: operationId, expiring: { $exists: false } };
    const doc = await this.database.operations.findOne<OperationDoc | ClaimDoc>(kept);
    if (!doc) return undefined;
    return 'granted' in doc ? toClaim(doc) : toOperation(doc);
  }

  async accept(operation: Omit<Operation, 'sequence'>): Promise<Operation> {
    const { operationId, ...rest } = operation;
    const insert = async (sequence: number, session?: mongo.ClientSession): Promise<Operation> => {
      await this.database.operations.insertOne(
        { _id: operationId, kind: rest.request.kind, ...rest, sequence },
        session ? { session } : {},
      );
      return { ...operation, sequence };
    };
    try {
      if (!needsCampaignLock(operation.request)) return await insert(NO_SEQUENCE);
      return await this.database.transaction(async (session) =>
        insert(await nextSequence(this.database, operation.campaignId, session), session),
      );
    } catch (error) {
      if (!isDuplicateKey(error)) throw error;
      return this.expect(operationId);
    }
  }

  async carryOut(operation: Operation, batch: Batch, endMarker: Batch): Promise<boolean> {
    const { operationId, ...rest } = operation;
    const guard = { statuses: operation.plan?.statuses ?? [], lastMovedBy: null };
    const application = new BatchApplication(this.database, batch, operation, guard);
    try {
      await this.database.transaction(async (session) => {
        await this.database.operations.insertOne({ _id: operationId, kind: rest.request.kind, ...rest }, { session });
        await application.applyNew(endMarker, operation.endedAt ?? this.database.now(), session);
      });
      return true;
    } catch (error) {
      if (error instanceof NotAsPlanned || isDuplicateKey(error)) return false;
      throw error;
    }
  }

  async start(operation: Operation): Promise<Operation | undefined> {
    if (needsCampaignLock(operation.request) && (await this.goesEarlier(operation))) return undefined;
    const lock = needsCampaignLock(operation.request) ? { campaignLock: operation.campaignId } : {};
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

  async keepPlan(operationId: string, plan: Plan, startedAt: Date): Promise<Operation> {
    const kept = await this.database.operations.findOneAndUpdate(
      { _id: operationId, state: 'running', plan: null, ...NOTHING_NOTED },
      { $set: { plan, startedAt } },
      { returnDocument: 'after' },
    );
    return kept ? toOperation(kept) : this.expect(operationId);
  }

  async noteError(run: Run, error: StoredError): Promise<Operation> {
    return this.note(run, 'failed', { error });
  }

  async noteCancellation(run: Run, cancellation: Cancellation): Promise<Operation> {
    return this.note(run, 'cancelled', { cancellation });
  }

  async isStopped(operationId: string): Promise<boolean> {
    const going = { _id: operationId, state: 'running' as const, ...NOTHING_NOTED };
    return (await this.database.operations.findOne(going, { projection: { _id: 1 } })) === null;
  }

  async end(run: Run, ending: Ending): Promise<Operation> {
    const { state, at, receipt, error } = ending;
    const ended = await this.database.operations.findOneAndUpdate(
      { ...ofRun(run), state: { $in: [...statesBefore(state)] }, ...(state === 'done' && NOTHING_NOTED) },
      { $set: { state, receipt, endedAt: at, error: error ?? null }, $unset: { campaignLock: '' } },
      { returnDocument: 'after' },
    );
    return ended ? toOperation(ended) : this.expect(run.operationId);
  }

  async nextOperation(campaignId: string): Promise<Operation | undefined> {
    const running = await this.first({ campaignId, state: 'running', sequence: { $gt: NO_SEQUENCE } });
    return running ?? (await this.first({ campaignId, state: 'accepted', sequence: { $gt: NO_SEQUENCE } }));
  }

  private async note(
    run: Run,
    state: 'failed' | 'cancelled',
    noted: Partial<Pick<OperationDoc, 'error' | 'cancellation'>>,
  ): Promise<Operation> {
    const standing = await this.database.operations.findOneAndUpdate(
      { ...ofRun(run), state: { $in: [...statesBefore(state)] }, ...NOTHING_NOTED },
      { $set: noted },
      { returnDocument: 'after' },
    );
    return standing ? toOperation(standing) : this.expect(run.operationId);
  }

  private async goesEarlier({ campaignId, sequence }: Operation): Promise<boolean> {
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
    if (!operation) throw new Error(`operation ${operationId} is gone from the ledger`);
    return operation;
  }
}
