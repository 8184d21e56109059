import type { RedisConnection } from '../queue/connection.ts';
import { errorText, idText } from '../domain/safe-text.ts';
import { parseClaimReplies, type ClaimReply } from './contract.ts';
import { ClaimsDelayed } from './ports.ts';

/** An entry without a reply by then is added again, because the worker that was to serve it may have died. */
const REPLY_MS_MAX = 3_000;

export interface RepliesOptions {
  readonly redis: RedisConnection;
  /** A connection of its own, because a connection that subscribes cannot send commands. */
  readonly subscriber: RedisConnection;
  readonly prefix: string;
  /** The coordinator that waits for the replies. */
  readonly coordinatorId: string;
  /** Called when a message cannot be read or sent. The coordinator that waits for it adds its entry again. */
  readonly onError: (error: Error) => void;
}

/** The replies that a coordinator waits for, and those that it publishes to other coordinators. */
export class ClaimReplies {
  private readonly options: RepliesOptions;
  private readonly pending = new Map<string, Set<(reply: ClaimReply) => void>>();

  constructor(options: RepliesOptions) {
    this.options = options;
    options.subscriber.on('message', (_channel: string, message: string) => {
      const replies = readMessage(() => parseClaimReplies(message), options.onError) ?? [];
      for (const reply of replies) this.settle(reply);
    });
  }

  async open(): Promise<void> {
    await this.options.subscriber.subscribe(this.channelOf(this.options.coordinatorId));
  }

  /** Calls `add` now, and again until there is a reply. Throws when serving failed: then the claim can be retried. */
  async replyTo(id: string, add: () => void): Promise<ClaimReply> {
    return new Promise<ClaimReply>((resolve, reject) => {
      const repeat = setInterval(add, REPLY_MS_MAX);
      const settle = (reply: ClaimReply): void => {
        clearInterval(repeat);
        if (reply.failure === undefined) return resolve(reply);
        const message = `claim ${idText(id)} was not served: ${errorText(new Error(reply.failure))}`;
        reject(reply.isDelayed ? new ClaimsDelayed(message) : new Error(message));
      };
      this.pending.set(id, (this.pending.get(id) ?? new Set()).add(settle));
      add();
    });
  }

  settle(reply: ClaimReply): void {
    const waiting = this.pending.get(reply.id);
    this.pending.delete(reply.id);
    waiting?.forEach((settle) => settle(reply));
  }

  /** Returns at once: the next round does not wait for the replies of the last. */
  publish(coordinatorId: string, replies: readonly ClaimReply[]): void {
    const { redis, onError } = this.options;
    redis.publish(this.channelOf(coordinatorId), JSON.stringify(replies)).catch(onError);
  }

  private channelOf(coordinatorId: string): string {
    return `${this.options.prefix}:claims:replies:${coordinatorId}`;
  }
}

/** Reports a message that cannot be read, and returns `undefined`: any program can write to Redis. */
export function readMessage<Read>(read: () => Read, onError: (error: Error) => void): Read | undefined {
  try {
    return read();
  } catch (error) {
    onError(new Error(`a message between claim coordinators cannot be read: ${errorText(error)}`));
    return undefined;
  }
}
