import { setMaxListeners } from 'node:events';
import type { Queue } from 'bullmq';
import type { SigningKeys, VerifyingKeys } from '../access/index.ts';
import type { Config } from '../config.ts';
import { openContext, type Context } from '../context.ts';
import { viewSenders, type ConversationsView, type SendersView } from '../conversations/index.ts';
import { errorText } from '../domain/safe-text.ts';
import type { ViewedOperation } from '../operations/index.ts';
import { databaseIdOf } from '../mongo/database-id.ts';
import { connect } from '../mongo/connect.ts';
import { createProducer, type Producer } from '../producer/index.ts';
import { CONNECTION_FAILED, connectProducer, connectWorker, type RedisConnection } from '../queue/connection.ts';
import { newClosing, whenReachable } from '../queue/reachable.ts';
import { openSentQueues } from '../reconcile/index.ts';
import { errorReporter, type Logger } from '../telemetry/index.ts';
import { resourceReads, type ResourceReads } from './access.ts';
import { tokenKeysOf } from './authenticate-texter.ts';
import { Availability } from './availability.ts';
import { Gate } from './gate.ts';
import { KeyCache } from './key-cache.ts';
import { countsOfEvent } from './live/live-counts.ts';
import { LiveHub } from './live/live-hub.ts';
import type { Snapshot } from './live/live-campaign.ts';
import { SharedAnswers } from './shared-answers.ts';

/** A client of HTTP waits at most about three seconds for the answer that a service is away. */
const SELECTION_TIMEOUT_MS_MAX = 2_000;

/** A stream continues after the place of its snapshot, so an older snapshot is as good as a new one. */
const SNAPSHOTS_SHARED_MS = 1_000;

/** A page of the conversations view, and the moment after which nothing is missing in it. */
export type CountedView = ConversationsView & { readonly countedAt: string };

/** A list is read anew for each call, but not more often than this: it costs much more than reading one operation. */
const LISTS_SHARED_MS = 20;

/** A page of the operations of a campaign. */
export interface ListedOperations {
  readonly shown: readonly ViewedOperation[];
  readonly isLast: boolean;
}

/** Answers that callers of this process share. */
interface SharedReads {
  readonly senders: SharedAnswers<SendersView>;
  readonly views: SharedAnswers<CountedView>;
  readonly lists: SharedAnswers<ListedOperations>;
  /** What streams of events start with. */
  readonly snapshots: SharedAnswers<Snapshot>;
}

function sharedReads(sharedForMs: number): SharedReads {
  return {
    senders: new SharedAnswers(sharedForMs),
    views: new SharedAnswers(sharedForMs),
    lists: new SharedAnswers(LISTS_SHARED_MS),
    snapshots: new SharedAnswers(SNAPSHOTS_SHARED_MS),
  };
}

/** What the routes work with. */
export interface HttpServices extends SharedReads {
  readonly config: Config;
  readonly logger: Logger;
  readonly context: Context;
  readonly reads: ResourceReads;
  readonly producer: Producer;
  readonly redis: RedisConnection;
  readonly gate: Gate;
  readonly keyCache: KeyCache;
  /** Signs tokens of texters. */
  readonly serverKeys: SigningKeys;
  readonly tokenKeys: VerifyingKeys;
  /** The queues in which operations wait until a worker accepts them. */
  readonly sentQueues: readonly Queue[];
  readonly availability: Availability;
  readonly live: LiveHub;
  /** Aborted when the server stops: requests that wait for an operation answer at once, and streams end. */
  readonly stopping: AbortController;
  /** Closes every connection. */
  close(): Promise<void>;
}

/** The first requests must not find a connection that is still being opened. Without Redis, the server answers 503. */
async function reach(redis: RedisConnection): Promise<void> {
  const opening = { limitMs: SELECTION_TIMEOUT_MS_MAX, signal: newClosing().signal };
  await whenReachable(redis, opening, () => redis.ping()).catch(() => undefined);
}

/** Every request that waits listens to it, and Node warns of more than ten listeners. */
function newStopping(): AbortController {
  const stopping = new AbortController();
  setMaxListeners(0, stopping.signal);
  return stopping;
}

/** Counts at a moment after the call. */
function countAnew(
  { context, senders }: Pick<HttpServices, 'context' | 'senders'>,
  campaignId: string,
): Promise<SendersView> {
  return senders.read(
    campaignId,
    () => viewSenders(context, campaignId),
    () => false,
  );
}

/** Connects to MongoDB and Redis. Throws a `Refusal` if this code cannot work with the schema of the database. */
export async function openServices(config: Config, logger: Logger): Promise<HttpServices> {
  const reporter = errorReporter(logger);
  const serverSelectionTimeoutMs = Math.min(config.mongo.serverSelectionTimeoutMs, SELECTION_TIMEOUT_MS_MAX);
  const mongo = { ...config.mongo, serverSelectionTimeoutMs };
  const context = await openContext({ ...config, mongo }, reporter('the server refused to end a dead transaction'));
  const onError = reporter(CONNECTION_FAILED);
  const { redisUrl, prefix } = config.queue;
  // A connection of its own: the others may all be busy.
  const probe = await connect({ ...mongo, connectionsMax: 1 });
  const redis = connectProducer(redisUrl, onError);
  await reach(redis);
  const producer = createProducer({ ...config.queue, databaseId: await databaseIdOf(context.database), onError });
  const gate = new Gate(redis, prefix);
  const sentQueues = openSentQueues(redis, prefix);
  const availability = new Availability([
    { name: 'MongoDB', ask: () => probe.getClient().db('admin').command({ ping: 1 }) },
    { name: 'Redis', ask: () => redis.ping() },
  ]);
  const keyCache = new KeyCache(context.keys, () => gate.version());
  const shared = sharedReads(config.worker.countsSharedForMs);
  const readerRedis = connectWorker(redisUrl, onError, config.redis);
  const live = new LiveHub({
    ...{ redis, readerRedis, prefix },
    readCounts: async (campaignId) => countsOfEvent(await countAnew({ context, ...shared }, campaignId)),
    onError: reporter('the changes of watched campaigns could not be read'),
  });
  return {
    ...{ config, logger, context, producer, redis, gate, keyCache, sentQueues, availability, live },
    ...shared,
    reads: resourceReads(context),
    ...tokenKeysOf(context),
    stopping: newStopping(),
    close: async () => {
      availability.close();
      live.close();
      await Promise.allSettled([producer.close(), ...sentQueues.map((queue) => queue.close())]);
      redis.disconnect();
      await Promise.allSettled([probe.close(), context.close()]);
    },
  };
}

/**
 * Starts another round for the campaign's waiting claims, after a rule has changed. The change is stored by then, and the
 * claims end at their deadlines at the latest, so an unreachable queue does not fail the request.
 */
export async function refillPool({ context, producer, logger }: HttpServices, campaignId: string): Promise<void> {
  try {
    if (await context.stores.claims.hasWaiting(campaignId)) await producer.poolRefilled(campaignId);
  } catch (error) {
    logger.warn({ campaignId, error: errorText(error) }, 'the waiting claims could not be notified');
  }
}
