import { MongoCampaignStore, MongoTexterStore } from './campaigns/index.ts';
import { ClaimCoordinator, ClaimQueue, MongoClaimStore, type Claim } from './claims/index.ts';
import type { Config } from './config.ts';
import { MongoContactStore, type ContactStore } from './contacts/index.ts';
import { MongoConversationStore, MongoViewStore, type ViewStore } from './conversations/index.ts';
import type { Clock } from './domain/operation.ts';
import { Database } from './mongo/database.ts';
import { requireSchema } from './mongo/schema-version.ts';
import {
  MongoBatchStore,
  MongoOperationStore,
  MongoOperationViewStore,
  OperationQueue,
  type OperationViewStore,
  type Stores,
} from './operations/index.ts';
import { connectWorker, type ErrorListener, type RedisConnection } from './queue/connection.ts';
import {
  MongoFailureStore,
  MongoReconcileStore,
  ReconcileSchedule,
  type FailureStore,
  type ReconcileStore,
} from './reconcile/index.ts';
import { MongoHealthStore, type HealthStore } from './telemetry/index.ts';

/** The database and its stores: what every process needs. */
export interface Context {
  readonly database: Database;
  /** The stores that operations work on. */
  readonly stores: Stores;
  readonly contacts: ContactStore;
  readonly views: ViewStore;
  readonly operationViews: OperationViewStore;
  readonly failures: FailureStore;
  readonly reconcileStore: ReconcileStore;
  readonly health: HealthStore;
  readonly clock: Clock;
  close(): Promise<void>;
}

/** What a worker process needs in addition: its connections to Redis and what uses them. */
export interface WorkerContext extends Context {
  readonly redis: RedisConnection;
  readonly operationQueue: OperationQueue;
  readonly claimQueue: ClaimQueue;
  readonly coordinator: ClaimCoordinator;
  readonly schedule: ReconcileSchedule;
  /** Closes the queues of operations and claims. Waits for Redis, so the caller needs a time limit. */
  closeQueues(): Promise<void>;
}

/** Connects to the database and creates every store. The only place that chooses the implementation of a port. */
export async function createContext(config: Pick<Config, 'mongo' | 'worker'>): Promise<Context> {
  const database = await Database.open(config.mongo);
  return {
    database,
    stores: createStores(database, config.worker.batchConversationsMax),
    contacts: new MongoContactStore(database),
    views: new MongoViewStore(database),
    operationViews: new MongoOperationViewStore(database),
    failures: new MongoFailureStore(database),
    reconcileStore: new MongoReconcileStore(database),
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

/** Creates the context and connects to Redis. `close` closes everything in reverse order. */
export async function createWorkerContext(config: Config, onError: ErrorListener): Promise<WorkerContext> {
  const context = await openContext(config);
  const { redisUrl, prefix } = config.queue;
  const redis = connectWorker(redisUrl, onError);
  const subscriber = connectWorker(redisUrl, onError);
  const operationQueue = new OperationQueue(redis, prefix, onError);
  const claimQueue = new ClaimQueue(redis, prefix, onError);
  const schedule = new ReconcileSchedule(redis, prefix, config.worker.reconcileEveryMs, onError);
  const onCompleted = (completed: readonly Claim[]): void => {
    for (const { operationId } of completed) claimQueue.wake(operationId).catch(onError);
  };
  const { claims } = context.stores;
  const coordinator = new ClaimCoordinator({
    redis,
    subscriber,
    prefix,
    serve: (campaignId, commands) => claims.serve(campaignId, commands),
    onCompleted,
    onError,
  });
  await coordinator.open();
  const closeQueues = async (): Promise<void> => {
    await Promise.all([claimQueue.close(), operationQueue.close()]);
  };
  const close = async (): Promise<void> => {
    subscriber.disconnect();
    redis.disconnect();
    await context.close();
  };
  return { ...context, redis, operationQueue, claimQueue, coordinator, schedule, closeQueues, close };
}
