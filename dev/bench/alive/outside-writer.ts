import { setTimeout as sleep } from 'node:timers/promises';
import { mongo } from 'mongoose';
import type { ConversationDoc } from '../../../src/mongo/documents.ts';
import { quantile } from '../load.ts';

/** More writes than this are not made up for after a pause, so that a pause does not end in a burst. */
const BACKLOG_MS_MAX = 1_000;
const CONNECTIONS = 8;

export interface Written {
  readonly perSecond: number;
  readonly p99Ms: number;
}

/** Another program that updates random conversations one by one, over eight connections. */
export class OutsideWriter {
  private readonly client: mongo.MongoClient;
  private readonly conversations: mongo.Collection<ConversationDoc>;
  private readonly latenciesMs: number[] = [];
  private writing: Promise<unknown> = Promise.resolve();
  private isStopped = false;
  private startedAt = 0;

  private constructor(uri: string) {
    this.client = new mongo.MongoClient(uri, { maxPoolSize: CONNECTIONS });
    this.conversations = this.client.db().collection('conversations');
  }

  /** Starts `perSecond` writes a second to the conversations; `Infinity` for as many as possible. */
  static start(uri: string, ids: readonly string[], perSecond: number): OutsideWriter {
    const writer = new OutsideWriter(uri);
    const objectIds = ids.map((id) => new mongo.ObjectId(id));
    const intervalMs = (1_000 * CONNECTIONS) / perSecond;
    writer.startedAt = performance.now();
    const loops = Array.from({ length: CONNECTIONS }, (_, index) => {
      return writer.write(objectIds, intervalMs, (index * intervalMs) / CONNECTIONS);
    });
    writer.writing = Promise.all(loops);
    return writer;
  }

  /** Stops the writes and waits for those in progress. */
  async stop(): Promise<Written> {
    const seconds = (performance.now() - this.startedAt) / 1_000;
    const perSecond = this.latenciesMs.length / seconds;
    this.isStopped = true;
    await this.writing;
    await this.client.close();
    this.latenciesMs.sort((a, b) => a - b);
    return { perSecond, p99Ms: quantile(this.latenciesMs, 0.99) };
  }

  private async write(ids: readonly mongo.ObjectId[], intervalMs: number, firstMs: number): Promise<void> {
    let dueAt = performance.now() + firstMs;
    while (!this.isStopped) {
      const earlyMs = dueAt - performance.now();
      if (earlyMs > 0) await sleep(earlyMs);
      await this.writeOne(ids[Math.floor(Math.random() * ids.length)]);
      dueAt = Math.max(dueAt + intervalMs, performance.now() - BACKLOG_MS_MAX);
    }
  }

  /** A contact's reply, as an app for texting stores it. */
  private async writeOne(_id: mongo.ObjectId | undefined): Promise<void> {
    if (!_id) return;
    const startedAt = performance.now();
    const now = new Date();
    const reply = { status: 'needs-reply', waitingSince: now, lastInboundAt: now } as const;
    await this.conversations.updateOne({ _id }, { $set: reply });
    this.latenciesMs.push(performance.now() - startedAt);
  }
}
