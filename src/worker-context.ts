import { setTimeout as delay } from 'node:timers/promises';
import { type ClaimParts, ClaimQueue, createClaimParts } from './claims/index.ts';
import type { Config } from './config.ts';
import { type Context, type LiveContext, openContext } from './context.ts';
import { ChangePublisher, type LivePublisher } from './events/index.ts';
import type { Database } from './mongo/database.ts';
import { databaseIdOf } from './mongo/database-id.ts';
import { requireTransactions } from './mongo/probe-transactions.ts';
import { requireLayout } from './mongo/required-layout.ts';
import { OperationQueue } from './operations/index.ts';
import {
  CONNECTION_FAILED,
  connectProducer,
  connectWorker,
  refusalOf,
  type ErrorListener,
  type ErrorReporter,
  type RedisConnection,
} from './queue/connection.ts';
import { keepAlive } from './queue/heartbeat.ts';
import { noteName, refuseOther, takeQueues } from './queue/queue-owner.ts';
import { meaningOf } from './queue/redis-errors.ts';
import { requireWorkingRedis } from './queue/redis-rights.ts';
import { ReconcileSchedule } from './reconcile/index.ts';

/** How long a worker that stops writes the last changes for those who watch. */
const LAST_CHANGES_MS_MAX = 500;

const TRANSACTIONS_KEPT =
  'the server refused to end the transactions of a process that has died: writes to their documents wait until it ends ' +
  'them itself; see `baton doctor`';

/** The parts that only a worker process needs: a connection to Redis, the queues, and the claim coordinator. */
export interface WorkerContext extends LiveContext, ClaimParts {
  readonly redis: RedisConnection;
  /** The id of the database, to which the queues belong. */
  readonly databaseId: string;
  readonly operationQueue: OperationQueue;
  readonly claimQueue: ClaimQueue;
  readonly schedule: ReconcileSchedule;
  /** Closes the queues of operations and claims. Waits for Redis, so the caller needs a time limit. */
  closeQueues(): Promise<void>;
}

/** Opens the context and connects to Redis. `reporter` gets the errors that no caller receives. */
export async function createWorkerContext(config: Config, reporter: ErrorReporter): Promise<WorkerContext> {
  const context = await openContext(config, reporter(TRANSACTIONS_KEPT));
  await requireFitDatabase(context.database).catch(async (error: unknown) => {
    await context.close();
    throw error;
  });
  const connections = connectionReporter(reporter);
  const connect = (): RedisConnection => connectWorker(config.queue.redisUrl, connections.onError, config.redis);
  const redis = connect();
  const subscriber = connect();
  // A write for those who watch must not wait for Redis, nor must anything wait for it.
  const liveRedis = connectProducer(config.queue.redisUrl, () => undefined);
  const onError = reporter('a change could not be written for those who watch');
  const live = new ChangePublisher({ redis: liveRedis, prefix: config.queue.prefix, onError });
  const close = async (): Promise<void> => {
    await live.close(LAST_CHANGES_MS_MAX);
    for (const each of [liveRedis, subscriber, redis]) each.disconnect();
    await context.close();
  };
  try {
    await requireWorkingRedis(redis, config.queue.prefix, {
      sleep: delay,
      onProblem: ({ message }) => reporter('the worker waits for Redis')(new Error(message)),
    });
    connections.started();
    const databaseId = await ownQueues(context, redis, config.queue.prefix);
    const parts = await createQueueParts(config, context, { redis, subscriber, live, reporter });
    const stopBeating = keepAlive(subscriber, config.redis, () => parts.coordinator.open());
    return { ...context, ...parts, redis, live, databaseId, close: () => close().finally(stopBeating) };
  } catch (error) {
    await close();
    throw refusalOf(subscriber) ?? refusalOf(redis) ?? error;
  }
}

/** Until the start has succeeded, an error that stays is left to `requireWorkingRedis`, which ends the start with it. */
function connectionReporter(reporter: ErrorReporter): { readonly onError: ErrorListener; started(): void } {
  const report = reporter(CONNECTION_FAILED);
  let isStarting = true;
  return {
    onError: (error) => {
      if (!isStarting || meaningOf(error)?.isPermanent !== true) report(error);
    },
    started: () => (isStarting = false),
  };
}

/** Takes the queues for the database and returns its id. Throws a `Refusal` if they belong to another database. */
async function ownQueues({ database }: Context, redis: RedisConnection, prefix: string): Promise<string> {
  const databaseId = await databaseIdOf(database);
  refuseOther(databaseId, await takeQueues(redis, prefix, databaseId), prefix);
  await noteName(redis, prefix, databaseId, database.name);
  return databaseId;
}

async function requireFitDatabase(database: Database): Promise<void> {
  await requireLayout(database);
  await requireTransactions(database);
}

interface RedisParts {
  readonly redis: RedisConnection;
  /** A connection of its own, because a connection that subscribes cannot send commands. */
  readonly subscriber: RedisConnection;
  readonly live: LivePublisher;
  readonly reporter: ErrorReporter;
}

async function createQueueParts(
  { queue: { prefix }, worker }: Config,
  { stores: { claims } }: Context,
  { redis, subscriber, live, reporter }: RedisParts,
): Promise<Omit<WorkerContext, keyof Context | 'redis' | 'databaseId' | 'live'>> {
  const operationQueue = new OperationQueue(redis, prefix, reporter(CONNECTION_FAILED));
  const claimQueue = new ClaimQueue(redis, prefix, reporter(CONNECTION_FAILED));
  const schedule = new ReconcileSchedule(redis, prefix, worker.reconcileEveryMs, reporter);
  const claimParts = createClaimParts(claims, claimQueue, { redis, subscriber, live, prefix, reporter });
  await claimParts.coordinator.open();
  const closeQueues = async (): Promise<void> => {
    await Promise.all([claimQueue.close(), operationQueue.close()]);
  };
  return { operationQueue, claimQueue, ...claimParts, schedule, closeQueues };
}
