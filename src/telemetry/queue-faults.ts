import { withRedis, type QueueAddress } from '../queue/connection.ts';
import { QUEUE_NAMES } from '../queue/job.ts';
import { describeSettings, readQueueSettings } from '../queue/queue-settings.ts';
import { readSetAside, type SetAsideJob } from '../queue/set-aside.ts';

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
