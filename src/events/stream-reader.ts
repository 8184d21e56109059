import { randomUUID } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import pTimeout, { TimeoutError } from 'p-timeout';
import type { RedisConnection } from '../queue/connection.ts';
import { isWrongType } from '../queue/redis-errors.ts';
import { deleteDamaged, streamKey, toEntry, type Entry, type Position, type StoredEntry } from './live-stream.ts';

/** How long one read waits for changes. It must end well before a connection counts as silent. */
const BLOCK_MS = 2_000;
/** A read without an answer for this time is given up, and its connection is replaced. */
const ANSWER_MS_MAX = 8_000;
/** The most changes of a campaign in one read. */
const READ_MAX = 100;
const PAUSE_MS = 500;
/** The stream that ends a waiting read, when another campaign is watched. */
const WAKE_KEPT_MS = 60_000;

type Listener = (entry: Entry) => void;

/** A campaign whose changes are passed on. */
export interface Topic {
  /** Everything up to here has been passed on. */
  readonly position: Position;
  close(): void;
}

export interface StreamReaderOptions {
  /** A connection of its own, because its reads wait. Its commands wait until Redis can be reached. */
  readonly redis: RedisConnection;
  /** The connection for everything else. */
  readonly commands: RedisConnection;
  readonly prefix: string;
  readonly onError: (error: Error) => void;
}

interface Watched {
  readonly key: string;
  readonly listener: Listener;
  position: Position;
}

/** Reads the streams of all watched campaigns of a process, with one connection and one waiting command. */
export class StreamReader {
  private readonly options: StreamReaderOptions;
  private readonly topics = new Set<Watched>();
  private readonly wakeKey: string;
  private wakeId = '0-0';
  private isReading = false;
  private isClosed = false;

  constructor(options: StreamReaderOptions) {
    this.options = options;
    this.wakeKey = streamKey(options.prefix, `wake:${randomUUID()}`);
  }

  /** Passes on the changes of a campaign after `position`, until the topic is closed. */
  watch(campaignId: string, position: Position, listener: Listener): Topic {
    const watched = { key: streamKey(this.options.prefix, campaignId), listener, position };
    this.topics.add(watched);
    if (this.isReading) void this.wake();
    else void this.readAll();
    return {
      get position() {
        return watched.position;
      },
      close: () => void this.topics.delete(watched),
    };
  }

  close(): void {
    this.isClosed = true;
    this.options.redis.disconnect();
  }

  /** A lost message only means that the new campaign waits for the end of the present read. */
  private async wake(): Promise<void> {
    const { commands } = this.options;
    try {
      await commands.xadd(this.wakeKey, 'MAXLEN', '~', 1, '*', 'wake', '');
      await commands.pexpire(this.wakeKey, WAKE_KEPT_MS);
    } catch (error) {
      this.report(error);
    }
  }

  /** Reads as long as a campaign is watched. */
  private async readAll(): Promise<void> {
    this.isReading = true;
    while (this.topics.size > 0 && !this.isClosed) {
      try {
        await this.readOnce();
      } catch (error) {
        this.report(error);
        await delay(PAUSE_MS);
      }
    }
    this.isReading = false;
  }

  private async readOnce(): Promise<void> {
    const topics = new Map([...this.topics].map((topic) => [topic.key, topic]));
    const keys = [this.wakeKey, ...topics.keys()];
    const ids = [this.wakeId, ...[...topics.values()].map(({ position }) => position.id)];
    const read = this.options.redis.xread('COUNT', READ_MAX, 'BLOCK', BLOCK_MS, 'STREAMS', ...keys, ...ids);
    const found = await this.answered(read).catch(async (error: unknown) => {
      if (isWrongType(error)) await deleteDamaged(this.options.commands, keys);
      throw error;
    });
    for (const [key, entries] of (found ?? []) as [string, StoredEntry[]][]) {
      if (key === this.wakeKey) this.wakeId = entries.at(-1)?.[0] ?? this.wakeId;
      const topic = topics.get(key);
      if (topic) for (const entry of entries) pass(topic, toEntry(entry));
    }
  }

  /** The client of a cluster does not notice by itself that a connection is silent. */
  private answered<Answer>(read: Promise<Answer>): Promise<Answer> {
    const { redis } = this.options;
    if (!redis.isCluster) return read;
    return pTimeout(read, { milliseconds: ANSWER_MS_MAX }).catch((error: unknown) => {
      if (error instanceof TimeoutError) redis.disconnect(true);
      throw error;
    });
  }

  private report(error: unknown): void {
    if (this.isClosed) return;
    this.options.onError(error instanceof Error ? error : new Error(String(error)));
  }
}

function pass(topic: Watched, entry: Entry): void {
  topic.position = entry;
  topic.listener(entry);
}
