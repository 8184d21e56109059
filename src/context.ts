import type { ContactStore } from './app/contact-port.ts';
import type { HealthStore } from './app/health-port.ts';
import type { Clock, Stores } from './app/ports.ts';
import type { FailureStore } from './app/redrive-port.ts';
import type { RosterStore } from './app/roster-port.ts';
import type { SweepStore } from './app/sweep-port.ts';
import type { ViewStore } from './app/view-port.ts';
import type { Config } from './config.ts';
import { MongoBatchStore } from './mongo/batch-store.ts';
import { MongoCampaignStore, MongoTexterStore } from './mongo/campaign-store.ts';
import { MongoClaimStore } from './mongo/claim-store.ts';
import { Database } from './mongo/connect.ts';
import { MongoContactStore } from './mongo/contact-store.ts';
import { MongoConversationStore } from './mongo/conversation-store.ts';
import { MongoFailureStore } from './mongo/failure-store.ts';
import { MongoHealthStore } from './mongo/health-store.ts';
import { MongoOperationStore } from './mongo/operation-store.ts';
import { MongoRosterStore } from './mongo/roster-store.ts';
import { MongoSweepStore } from './mongo/sweep-store.ts';
import { MongoViewStore } from './mongo/view-store.ts';

/** Everything that a process needs of the database, built once. */
export interface Context {
  readonly database: Database;
  /** What operations run on. */
  readonly stores: Stores;
  /** What people enter and look at. */
  readonly roster: RosterStore;
  readonly contacts: ContactStore;
  readonly views: ViewStore;
  readonly failures: FailureStore;
  /** What the sweep looks through. */
  readonly ledger: SweepStore;
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
    roster: new MongoRosterStore(database),
    contacts: new MongoContactStore(database),
    views: new MongoViewStore(database),
    failures: new MongoFailureStore(database),
    ledger: new MongoSweepStore(database),
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
