import type { ErrorListener, RedisConnection } from '../src/queue/connection.ts';
import { QUEUE_NAMES } from '../src/queue/job.ts';
import { describeSettings, readQueueSettings } from '../src/queue/queue-settings.ts';
import type { Logger } from '../src/telemetry/index.ts';

const CHECK_EVERY_MS = 5_000;

/** Logs when a queue is paused or limited, and when it no longer is. Such a queue looks as if it had no work. */
export class QueueWatch {
  private readonly redis: RedisConnection;
  private readonly prefix: string;
  private readonly logger: Logger;
  private readonly onError: ErrorListener;
  private readonly timer: NodeJS.Timeout;
  private readonly known = new Map<string, string>();

  constructor(redis: RedisConnection, prefix: string, logger: Logger, onError: ErrorListener) {
    this.redis = redis;
    this.prefix = prefix;
    this.logger = logger;
    this.onError = onError;
    this.timer = setInterval(() => void this.check(), CHECK_EVERY_MS);
    void this.check();
  }

  close(): void {
    clearInterval(this.timer);
  }

  private async check(): Promise<void> {
    try {
      for (const name of QUEUE_NAMES) this.report(name, await this.describe(name));
    } catch (error) {
      this.onError(error instanceof Error ? error : new Error(String(error)));
    }
  }

  private async describe(name: string): Promise<string> {
    return describeSettings(name, await readQueueSettings(this.redis, this.prefix, name)).join(' and ');
  }

  private report(name: string, found: string): void {
    if ((this.known.get(name) ?? '') === found) return;
    this.known.set(name, found);
    if (found === '') this.logger.info({ queue: name }, `the queue ${name} is no longer paused or limited`);
    else this.logger.warn({ queue: name }, `the queue ${name} ${found}: its jobs wait although workers are free`);
  }
}
