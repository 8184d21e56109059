import type { mongo } from 'mongoose';
import type { Ending, OperationStore } from '../app/ports.ts';
import { statesBefore, type Operation, type OperationError, type Plan, type Run } from '../domain/operation.ts';
import { isBulk } from '../domain/request.ts';
import { isDuplicateKey, type Database } from './connect.ts';
import { ofRun, toOperation } from './operation-mapping.ts';
import { nextSequence, NO_TURN } from './sequence.ts';

export class MongoOperationStore implements OperationStore {
  private readonly database: Database;

  constructor(database: Database) {
    this.database = database;
  }

  async find(operationId: string): Promise<Operation | undefined> {
    const doc = await this.database.operations.findOne({ _id: operationId });
    return doc ? toOperation(doc) : undefined;
  }

  async accept(operation: Omit<Operation, 'sequence'>): Promise<Operation> {
    const { operationId, ...rest } = operation;
    const insert = async (sequence: number, session?: mongo.ClientSession): Promise<Operation> => {
      await this.database.operations.insertOne({ _id: operationId, ...rest, sequence }, session ? { session } : {});
      return { ...operation, sequence };
    };
    try {
      if (!isBulk(operation.request)) return await insert(NO_TURN);
      return await this.database.transaction(async (session) =>
        insert(await nextSequence(this.database, operation.campaignId, session), session),
      );
    } catch (error) {
      if (!isDuplicateKey(error)) throw error;
      return this.expect(operationId);
    }
  }

  async start(operation: Operation): Promise<Operation | undefined> {
    if (isBulk(operation.request) && (await this.goesEarlier(operation))) return undefined;
    const turn = isBulk(operation.request) ? { turn: operation.campaignId } : {};
    try {
      const started = await this.database.operations.findOneAndUpdate(
        { _id: operation.operationId, state: { $in: [...statesBefore('running')] } },
        { $set: { state: 'running', ...turn } },
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
      { _id: operationId, state: 'running', plan: null },
      { $set: { plan, startedAt } },
      { returnDocument: 'after' },
    );
    return kept ? toOperation(kept) : this.expect(operationId);
  }

  async noteError(run: Run, error: OperationError): Promise<void> {
    await this.database.operations.updateOne(
      { ...ofRun(run), state: { $in: [...statesBefore('failed')] }, error: null },
      { $set: { error } },
    );
  }

  async end(run: Run, ending: Ending): Promise<Operation> {
    const { state, at, receipt, error } = ending;
    const ended = await this.database.operations.findOneAndUpdate(
      { ...ofRun(run), state: { $in: [...statesBefore(state)] } },
      { $set: { state, receipt, endedAt: at, error: error ?? null }, $unset: { turn: '' } },
      { returnDocument: 'after' },
    );
    return ended ? toOperation(ended) : this.expect(run.operationId);
  }

  async nextInTurn(campaignId: string): Promise<Operation | undefined> {
    const running = await this.first({ campaignId, state: 'running', sequence: { $gt: NO_TURN } });
    return running ?? (await this.first({ campaignId, state: 'accepted', sequence: { $gt: NO_TURN } }));
  }

  private async goesEarlier({ campaignId, sequence }: Operation): Promise<boolean> {
    const earlier = { $gt: NO_TURN, $lt: sequence };
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
