import {
  MongoChangeStore,
  MongoKeyStore,
  MongoOrganisationStore,
  MongoSigningKeyStore,
  type ChangeStore,
  type KeyStore,
  type OrganisationStore,
  type SigningKeyStore,
} from './access/index.ts';
import { MongoCampaignStore, MongoCreditStore, MongoTexterStore } from './campaigns/index.ts';
import { MongoClaimStore } from './claims/index.ts';
import type { Config } from './config.ts';
import { MongoContactStore, type ContactStore } from './contacts/index.ts';
import {
  MongoCompletenessStore,
  MongoConversationStore,
  MongoViewStore,
  type CompletenessStore,
  type ViewStore,
} from './conversations/index.ts';
import type { Clock } from './domain/operation.ts';
import type { LivePublisher } from './events/index.ts';
import { Database } from './mongo/database.ts';
import { requireSchema } from './mongo/schema-version.ts';
import {
  MongoBatchStore,
  MongoFailureStore,
  MongoOperationStore,
  MongoOperationViewStore,
  MongoQueuedStore,
  type FailureStore,
  type OperationViewStore,
  type Stores,
} from './operations/index.ts';
import { MongoReconcileStore, type ReconcileStore } from './reconcile/index.ts';
import { MongoHealthStore, type HealthStore } from './telemetry/index.ts';

/** The database and its stores, for every process. */
export interface Context {
  readonly database: Database;
  /** The stores that operations work on. */
  readonly stores: Stores;
  readonly contacts: ContactStore;
  readonly views: ViewStore;
  readonly completeness: CompletenessStore;
  readonly operationViews: OperationViewStore;
  readonly failures: FailureStore;
  readonly reconcileStore: ReconcileStore;
  readonly health: HealthStore;
  readonly organisations: OrganisationStore;
  readonly keys: KeyStore;
  readonly changes: ChangeStore;
  readonly signingKeys: SigningKeyStore;
  readonly clock: Clock;
  /** Cuts the connections at once. */
  close(): Promise<void>;
}

/** What a handler works with that changes conversations. */
export interface LiveContext extends Context {
  /** For those who watch campaigns. */
  readonly live: LivePublisher;
}

/**
 * Connects to the database and creates every store. The only place that chooses the implementation of a port. `onRefused` is
 * called when the server refuses to end the transactions of a process that has died.
 */
export async function createContext(
  config: Pick<Config, 'mongo' | 'worker'>,
  onRefused?: (error: Error) => void,
): Promise<Context> {
  const database = await Database.open(config.mongo, onRefused);
  return {
    database,
    stores: createStores(database, config.worker),
    contacts: new MongoContactStore(database),
    views: new MongoViewStore(database),
    completeness: new MongoCompletenessStore(database),
    operationViews: new MongoOperationViewStore(database),
    failures: new MongoFailureStore(database),
    reconcileStore: new MongoReconcileStore(database),
    health: new MongoHealthStore(database),
    organisations: new MongoOrganisationStore(database),
    keys: new MongoKeyStore(database),
    changes: new MongoChangeStore(database),
    signingKeys: new MongoSigningKeyStore(database),
    clock: { now: () => database.now() },
    close: () => database.close(),
  };
}

/** Opens a context for work. Throws a `Refusal` if this code cannot work with the schema of the database. */
export async function openContext(
  config: Pick<Config, 'mongo' | 'worker'>,
  onRefused?: (error: Error) => void,
): Promise<Context> {
  const context = await createContext(config, onRefused);
  try {
    await requireSchema(context.database);
    return context;
  } catch (error) {
    await context.close();
    throw error;
  }
}

function createStores(
  database: Database,
  { batchConversationsMax, queuedMax, roundRepeatedForMs }: Config['worker'],
): Stores {
  return {
    campaigns: new MongoCampaignStore(database),
    texters: new MongoTexterStore(database),
    credits: new MongoCreditStore(database),
    conversations: new MongoConversationStore(database),
    operations: new MongoOperationStore(database, queuedMax),
    queued: new MongoQueuedStore(database),
    batches: new MongoBatchStore(database),
    claims: new MongoClaimStore(database, batchConversationsMax, roundRepeatedForMs),
  };
}
