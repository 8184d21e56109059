import { Refusal } from '../src/domain/errors.ts';
import type { ErrorListener, RedisConnection } from '../src/queue/connection.ts';
import { takeQueues, refuseOther } from '../src/queue/queue-owner.ts';

const CHECK_EVERY_MS = 5_000;

export interface OwnerWatchParts {
  readonly redis: RedisConnection;
  readonly prefix: string;
  /** The id of this worker's database. */
  readonly databaseId: string;
  readonly onError: ErrorListener;
}

/** Notices when the queues were given to another database, and takes them again when Redis has lost its data. */
export class OwnerWatch {
  /** Resolves when the queues belong to another database. */
  readonly lost: Promise<Refusal>;
  private readonly parts: OwnerWatchParts;
  private readonly timer: NodeJS.Timeout;
  private readonly stopListening: () => void;
  private isClosed = false;
  private isChecking = false;

  constructor(parts: OwnerWatchParts) {
    this.parts = parts;
    let lose: (refusal: Refusal) => void = () => undefined;
    this.lost = new Promise((resolve) => (lose = resolve));
    const check = () => void this.check(lose);
    this.timer = setInterval(check, CHECK_EVERY_MS);
    // Redis may have restarted without its data. A worker of another database must not be the first to take the queues.
    parts.redis.on('ready', check);
    this.stopListening = () => parts.redis.off('ready', check);
  }

  close(): void {
    this.isClosed = true;
    clearInterval(this.timer);
    this.stopListening();
  }

  private async check(lose: (refusal: Refusal) => void): Promise<void> {
    const { redis, prefix, databaseId, onError } = this.parts;
    // While Redis is away, the client keeps the commands.
    if (this.isChecking) return;
    this.isChecking = true;
    try {
      refuseOther(databaseId, await takeQueues(redis, prefix, databaseId), prefix);
    } catch (error) {
      if (error instanceof Refusal) return lose(error);
      // Closing cuts the connection.
      if (!this.isClosed) onError(error instanceof Error ? error : new Error(String(error)));
    } finally {
      this.isChecking = false;
    }
  }
}
