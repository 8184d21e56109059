import { MongoOperationViewStore, type OperationViewStore } from './operations/index.ts';
import { type ContactStore, MongoContactStore } from './contacts/index.ts';
import { type HealthStore, MongoHealthStore } from './telemetry/index.ts';
import { MongoBatchStore, MongoOperationStore, type Stores } from './operations/index.ts';
import type { Clock } from './domain/clock.ts';
import { type FailureStore, MongoFailureStore, MongoReconcileStore, type ReconcileStore } from './reconcile/index.ts';
import { MongoCampaignStore, MongoTexterStore } from './campaigns/index.ts';
import { MongoConversationStore, MongoViewStore, type ViewStore } from './conversations/index.ts';
import type { Config } from './config.ts';
import { MongoClaimStore } from './claims/index.ts';
import { Database } from './mongo/database.ts';

/** Everything that a process needs of the database, built once. */
export interface Context {
  readonly database: Database;
  /** The stores that operations work on. */
  readonly stores: Stores;
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

/** The only place that connects the ports of the subjects with the stores that implement them. */
export async function createContext(config: Pick<Config, 'mongo' | 'worker'>): Promise<Context> {
  const database = await Database.open(config.mongo);
  return {
    database,
    stores: createStores(database, config.worker.batchConversationsMax),
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
