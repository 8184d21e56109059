import type { ContactStore } from './contacts/ports.ts';
import type { HealthStore } from './telemetry/health.ts';
import type { Clock, Stores } from './operations/ports.ts';
import type { FailureStore } from './reconcile/retry-ports.ts';
import type { CampaignsStore } from './campaigns/ports.ts';
import type { ReconcileStore } from './reconcile/ports.ts';
import type { ViewStore } from './conversations/view-ports.ts';
import type { Config } from './config.ts';
import { MongoBatchStore } from './operations/batch-store.ts';
import { MongoCampaignStore, MongoTexterStore } from './campaigns/facts-store.ts';
import { MongoClaimStore } from './claims/claim-store.ts';
import { Database } from './mongo/database.ts';
import { MongoContactStore } from './contacts/contact-store.ts';
import { MongoConversationStore } from './conversations/conversation-store.ts';
import { MongoFailureStore } from './reconcile/failure-store.ts';
import { MongoHealthStore } from './telemetry/database-health.ts';
import { MongoOperationStore } from './operations/operation-store.ts';
import { MongoCampaignsStore } from './campaigns/campaign-store.ts';
import { MongoReconcileStore } from './reconcile/reconcile-store.ts';
import { MongoViewStore } from './conversations/view-store.ts';

/** Everything that a process needs of the database, built once. */
export interface Context {
  readonly database: Database;
  /** What operations run on. */
  readonly stores: Stores;
  /** What people enter and look at. */
  readonly campaigns: CampaignsStore;
  readonly contacts: ContactStore;
  readonly views: ViewStore;
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
