import type { Clock, Stores } from './app/ports.ts';
import type { Config } from './config.ts';
import { MongoBatchStore } from './mongo/batch-store.ts';
import { MongoCampaignStore, MongoTexterStore } from './mongo/campaign-store.ts';
import { Database } from './mongo/connect.ts';
import { MongoConversationStore } from './mongo/conversation-store.ts';
import { MongoOperationStore } from './mongo/operation-store.ts';

/** Everything that a process needs of the database, built once. */
export interface Context {
  readonly database: Database;
  readonly stores: Stores;
  readonly clock: Clock;
  close(): Promise<void>;
}

/** The composition root: the only place where ports meet what stands behind them. */
export async function createContext(config: Pick<Config, 'mongo'>): Promise<Context> {
  const database = await Database.open(config.mongo);
  return {
    database,
    stores: createStores(database),
    clock: { now: () => new Date() },
    close: () => database.close(),
  };
}

function createStores(database: Database): Stores {
  return {
    campaigns: new MongoCampaignStore(database),
    texters: new MongoTexterStore(database),
    conversations: new MongoConversationStore(database),
    operations: new MongoOperationStore(database),
    batches: new MongoBatchStore(database),
  };
}
