import mongoose, { type mongo } from 'mongoose';
import type { ProcessDoc } from './documents.ts';
import { isDatabaseAway } from './server-errors.ts';
import type { TransactionSessions } from './transaction-sessions.ts';

const LOOK_EVERY_MS = 2_000;
/** A process counts as dead when this many looks in a row have found the same beat. */
const UNCHANGED_LOOKS_MAX = 3;

interface Seen {
  readonly beat: number;
  readonly unchangedLooks: number;
}

export interface WatchOptions {
  readonly uri: string;
  readonly database: string;
  readonly serverSelectionTimeoutMs: number;
  readonly sessions: TransactionSessions;
  /** Called when the server refuses to end the sessions of a process that has died. */
  readonly onRefused: (error: Error) => void;
}

/**
 * Shows other processes that this one lives, and ends the sessions of processes that have died. It compares no clocks: a
 * process that was only slow or frozen loses the transactions in progress, which it repeats, and nothing else.
 *
 * It has a client of its own, because the writes that wait for the transaction of a dead process can occupy every connection
 * of the other client.
 */
export class ProcessWatch {
  private readonly options: WatchOptions;
  private readonly timer: NodeJS.Timeout;
  private client: mongo.MongoClient | undefined;
  private seen: ReadonlyMap<string, Seen> = new Map();
  private isBeating = false;
  private isLooking = false;
  private isClosed = false;

  constructor(options: WatchOptions) {
    this.options = options;
    this.timer = setInterval(() => {
      void this.beat();
      void this.look();
    }, LOOK_EVERY_MS).unref();
  }

  async close(): Promise<void> {
    this.isClosed = true;
    clearInterval(this.timer);
    await this.client?.close();
  }

  /** Does not wait for a look: a server that does not answer it must not make this process look dead. */
  private async beat(): Promise<void> {
    if (this.isBeating) return;
    this.isBeating = true;
    // The next beat does what this one could not do.
    await this.showLife().catch(() => undefined);
    this.isBeating = false;
  }

  private async look(): Promise<void> {
    if (this.isLooking) return;
    this.isLooking = true;
    try {
      await this.options.sessions.endLost((ids) => this.endSessions(ids));
      await this.endDead();
    } catch {
      // The next look does what this one could not do.
    } finally {
      this.isLooking = false;
    }
  }

  private createClient(): mongo.MongoClient {
    const { uri, serverSelectionTimeoutMs: serverSelectionTimeoutMS } = this.options;
    return new mongoose.mongo.MongoClient(uri, {
      serverSelectionTimeoutMS,
      // One for the beat, and one for the look.
      maxPoolSize: 2,
      // One connection fewer to each server than with streaming.
      serverMonitoringMode: 'poll',
      // A look must not wait for a majority that is away. A beat that a failover takes back is a change too.
      writeConcern: { w: 1 },
      readConcern: { level: 'local' },
      readPreference: 'primary',
    });
  }

  /**
   * Connects when it is used first, so that a short command needs no second connection. If the first attempt failed, only
   * `connect` tries again: the other methods of the client fail for ever.
   */
  private async connected(): Promise<mongo.MongoClient> {
    if (this.isClosed) throw new Error('this watch is closed');
    this.client ??= this.createClient();
    return this.client.connect();
  }

  private async processes(): Promise<mongo.Collection<ProcessDoc>> {
    return (await this.connected()).db(this.options.database).collection<ProcessDoc>('processes');
  }

  private async showLife(): Promise<void> {
    const { sessions } = this.options;
    if (!sessions.hasRecord) return;
    const processes = await this.processes();
    const { matchedCount } = await processes.updateOne({ _id: sessions.processId }, { $inc: { beat: 1 } });
    if (matchedCount > 0) sessions.confirm();
    else sessions.forget();
  }

  private async endDead(): Promise<void> {
    const processes = await this.processes();
    const found = await processes.find({ _id: { $ne: this.options.sessions.processId } }).toArray();
    this.seen = new Map(found.map(({ _id, beat }) => [_id, seenAgain(this.seen.get(_id), beat)]));
    const dead = found.filter(({ _id }) => (this.seen.get(_id)?.unchangedLooks ?? 0) >= UNCHANGED_LOOKS_MAX);
    for (const each of dead) await this.end(each, processes);
  }

  /** Ends the sessions before it deletes the record, so that another process ends them if this one dies in between. */
  private async end({ _id, beat, sessions }: ProcessDoc, processes: mongo.Collection<ProcessDoc>): Promise<void> {
    await this.endSessions(Array.isArray(sessions) ? sessions : []);
    await processes.deleteOne({ _id, beat });
  }

  /** Reports the error of a server that refuses it. The server then ends the transactions later. */
  private async endSessions(ids: readonly mongo.BSON.Binary[]): Promise<void> {
    // An empty list would end the sessions of every process.
    if (ids.length === 0) return;
    const client = await this.connected();
    try {
      await client.db('admin').command({ killSessions: ids.map((id) => ({ id })) });
    } catch (error) {
      const isRefused = error instanceof mongoose.mongo.MongoServerError && !isDatabaseAway(error);
      if (!isRefused) throw error;
      this.options.onRefused(error);
    }
  }
}

function seenAgain(before: Seen | undefined, beat: number): Seen {
  return before?.beat === beat ? { beat, unchangedLooks: before.unchangedLooks + 1 } : { beat, unchangedLooks: 0 };
}
