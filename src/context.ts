import { MongoOperationViewStore, type OperationViewStore } from './operations/index.ts';
import { type ContactStore, MongoContactStore } from './contacts/index.ts';
import { type HealthStore, MongoHealthStore } from './telemetry/index.ts';
import { MongoBatchStore, MongoOperationStore, type Stores } from './operations/index.ts';
import type { Clock } from './domain/clock.ts';
import { type FailureStore, MongoFailureStore, MongoReconcileStore, type ReconcileStore } from './reconcile/index.ts';
import { type CampaignsStore, MongoCampaignsStore, MongoCampaignStore, MongoTexterStore } from './campaigns/index.ts';
import { MongoConversationStore, MongoViewStore, type ViewStore } from './conversations/index.ts';
import type { Config } from './config.ts';
import { MongoClaimStore } from './claims/index.ts';
import { Database } from './mongo/database.ts';
import { requireSchema } from './mongo/schema-version.ts';

/** Everything that a process needs of the database, built once. */
export interface Context {
  readonly database: Database;
  /** What operations run on. */
  readonly stores: Stores;
  /** What people enter and look at. */
  readonly campaigns: CampaignsStore;
  readonly contacts: ContactStore;
  readonly views: ViewStore;
  readonly operationViews: OperationViewStore;
  readonly failures: FailureStore;
  /** What the reconcile looks through. */
  readonly ledger: ReconcileStore;
  readonly health: HealthStore;
  readonly clock: Clock;
  close(): Promise<void>;
}

/** The composition root: the only place where ports meet what stands behind them. */
export async function createContext(config: Pick<Config, 'mongo' | 'worker'>): Promise<Context> {
  const database = await Database.open(config.mongo);
  return {
    database,
    stores: createStores(database, config.worker.batchConversationsMax),
    campaigns: new MongoCampaignsStore(database),
    contacts: new MongoContactStore(database),
    views: new MongoViewStore(database),
    operationViews: new MongoOperationViewStore(database),
    failures: new MongoFailureStore(database),
    ledger: new MongoReconcileStore(database),
    health: new MongoHealthStore(database),
    clock: { now: () => database.now() },
    close: () => database.close(),
  };
}

/** Opens a context for work. Throws a `Refusal` if this code cannot work with the schema of the database. */
export async function openContext(config: Pick<Config, 'mongo' | 'worker'>): Promise<Context> {
  const context = await createContext(config);
  try {
    await requireSchema(context.database);
    return context;
  } catch (error) {
    await context.close();
    throw error;
  }
}

function createStores(database: Database, batchConversationsMax: number): Stores {
  return {
    campaigns: new MongoCampaignStore(database),
    texters: new MongoTexterStore(database),
    conversations: new MongoConversationStore(database),
    operations: new MongoOperationStore(database),
    batches: new MongoBatchStore(database),
    claims: new MongoClaimStore(database, batchConversationsMax),
  };
}
