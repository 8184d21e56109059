import { Queue } from 'bullmq';
import { Cluster } from 'ioredis';
import { withRedis, type QueueAddress, type RedisConnection } from '../queue/connection.ts';
import { OPERATIONS_QUEUE, QUEUE_NAMES } from '../queue/job.ts';
import { describeSettings, readQueueSettings } from '../queue/queue-settings.ts';
import { readSetAside, type SetAsideJob } from '../queue/set-aside.ts';

/** Facts about Redis, and the state of every queue. */
export interface QueueFacts {
  readonly version: string;
  /** Must be `noeviction`, or Redis may remove jobs. */
  readonly maxmemoryPolicy: string;
  /** Without an append-only file, a restart of Redis loses all jobs. */
  readonly appendOnly: boolean;
  readonly queues: readonly QueueState[];
}

export interface QueueState {
  readonly name: string;
  /** The number of worker processes that are connected to the queue. */
  readonly workers: number;
  /** The number of jobs in each state of BullMQ. */
  readonly counts: Readonly<Record<string, number>>;
}

/** Reads the facts over a connection of its own. Throws when Redis cannot be reached. */
export async function readQueueFacts(address: QueueAddress): Promise<QueueFacts> {
  return withRedis(address.redisUrl, async (redis) => {
    const info = parseInfo(await redis.info());
    const queues: QueueState[] = [];
    for (const name of QUEUE_NAMES) queues.push(await withQueue(name, redis, address.prefix, stateOf));
    return {
      version: info.get('redis_version') ?? 'unknown',
      maxmemoryPolicy: info.get('maxmemory_policy') ?? 'unknown',
      appendOnly: info.get('aof_enabled') === '1',
      queues,
    };
  });
}

/** Returns the number of worker processes that are connected to the queue of operations. */
export async function countWorkers(address: QueueAddress): Promise<number> {
  return withRedis(address.redisUrl, (redis) => withQueue(OPERATIONS_QUEUE, redis, address.prefix, countProcesses));
}

async function stateOf(queue: Queue, database: number): Promise<QueueState> {
  const counts = await queue.getJobCounts('waiting', 'active', 'delayed', 'prioritized', 'completed', 'failed');
  return { name: queue.name, workers: await countProcesses(queue, database), counts };
}

/** BullMQ writes it before the name of a worker. */
const BEFORE_NAME = ':w:';

/**
 * A process may have several workers of BullMQ, which have its name. Workers of earlier releases have none. BullMQ lists
 * the workers of every database of this Redis; those of other databases serve other queues.
 */
async function countProcesses(queue: Queue, database: number): Promise<number> {
  const workers = (await queue.getWorkers()).filter(({ db = '0' }) => Number(db) === database);
  const isNamed = (client: string): boolean => client.includes(BEFORE_NAME);
  return new Set(workers.map(({ rawname = '', id }) => (isNamed(rawname) ? rawname : id))).size;
}

async function withQueue<Result>(
  name: string,
  connection: RedisConnection,
  prefix: string,
  read: (queue: Queue, database: number) => Promise<Result>,
): Promise<Result> {
  const queue = new Queue(name, { connection, prefix, skipVersionCheck: true });
  queue.on('error', () => undefined);
  try {
    return await read(queue, databaseOf(connection));
  } finally {
    await queue.close();
  }
}

/** A cluster has only the database 0. */
function databaseOf(connection: RedisConnection): number {
  return connection instanceof Cluster ? 0 : (connection.options.db ?? 0);
}

function parseInfo(info: string): Map<string, string> {
  const lines = info.split(/\r?\n/).filter((line) => line.includes(':'));
  return new Map(lines.map((line) => [line.slice(0, line.indexOf(':')), line.slice(line.indexOf(':') + 1)]));
}

/** What keeps jobs from running although Redis and the workers are well. */
export interface QueueFaults {
  /** One entry for each queue with a setting that makes jobs wait. */
  readonly settings: readonly {
    readonly queue: string;
    readonly isPaused: boolean;
    readonly found: readonly string[];
  }[];
  readonly setAside: readonly SetAsideJob[];
}

/** Reads the faults over a connection of its own. Throws when Redis cannot be reached. */
export async function readQueueFaults({ redisUrl, prefix }: QueueAddress): Promise<QueueFaults> {
  return withRedis(redisUrl, async (redis) => {
    const settings = QUEUE_NAMES.map(async (queue) => {
      const read = await readQueueSettings(redis, prefix, queue);
      return { queue, isPaused: read.isPaused, found: describeSettings(queue, read) };
    });
    return {
      settings: (await Promise.all(settings)).filter(({ found }) => found.length > 0),
      setAside: await readSetAside(redis, prefix),
    };
  });
}
