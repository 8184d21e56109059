import { randomUUID } from 'node:crypto';
import type { mongo } from 'mongoose';
import type { ProcessDoc } from './documents.ts';
import { isDatabaseAway } from './server-errors.ts';

/** A session that was idle for longer is replaced. The server forgets one after half an hour. */
const IDLE_MS_MAX = 600_000;
/** Shorter than the time after which another process takes this one for dead and deletes its record. */
const RECORD_TRUSTED_MS = 4_000;

interface FreeSession {
  readonly session: mongo.ClientSession;
  readonly since: number;
}

/**
 * The sessions in which a process runs its transactions. MongoDB keeps the transaction of a process that has died open, with
 * its locks, for a minute or more. So the process records each session before the first write in it, and `ProcessWatch`
 * of another process ends the recorded sessions of a process that has died.
 *
 * Sessions are used again, so that few transactions have to wait for a record.
 */
export class TransactionSessions {
  readonly processId = randomUUID();
  private readonly client: mongo.MongoClient;
  private readonly processes: mongo.Collection<ProcessDoc>;
  private readonly free: FreeSession[] = [];
  private readonly open = new Set<mongo.ClientSession>();
  /** Sessions whose transaction may still be open on the server, because the connection was lost. */
  private readonly lost = new Set<mongo.ClientSession>();
  private recorded: ReadonlySet<mongo.ClientSession> = new Set();
  private trustedUntil = 0;
  private recording: Promise<void> | undefined;

  constructor(client: mongo.MongoClient, processes: mongo.Collection<ProcessDoc>) {
    this.client = client;
    this.processes = processes;
  }

  /** Calls `work` with a session that nothing else uses meanwhile. `work` calls {@link ensureRecorded} before each attempt. */
  async use<Result>(work: (session: mongo.ClientSession) => Promise<Result>): Promise<Result> {
    const session = this.take();
    try {
      const result = await work(session);
      this.giveBack(session);
      return result;
    } catch (error) {
      if (isDatabaseAway(error)) this.lost.add(session);
      else this.giveBack(session);
      throw error;
    }
  }

  /** Records the session if that is needed. Another process may have deleted the record while this one was frozen. */
  async ensureRecorded(session: mongo.ClientSession): Promise<void> {
    while (!this.isRecorded(session)) {
      this.recording ??= this.record().finally(() => (this.recording = undefined));
      await this.recording;
    }
  }

  /** Ends the transactions that lost connections may have left open on the server. `end` ends those of the sessions. */
  async endLost(end: (ids: readonly mongo.BSON.Binary[]) => Promise<void>): Promise<void> {
    const lost = [...this.lost];
    await end(idsOf(lost));
    for (const session of lost) {
      this.lost.delete(session);
      this.giveBack(session);
    }
  }

  get hasRecord(): boolean {
    return this.recorded.size > 0;
  }

  /** Call it when the record was found and its beat has grown. */
  confirm(): void {
    this.trustedUntil = performance.now() + RECORD_TRUSTED_MS;
  }

  /** Another process has deleted the record, because this one seemed to be dead. */
  forget(): void {
    this.recorded = new Set();
  }

  /** Deletes the record, unless a transaction is in progress: then another process has to end its session. */
  async close(): Promise<void> {
    if (!this.hasRecord || this.free.length < this.open.size) return;
    this.forget();
    await this.processes.deleteOne({ _id: this.processId });
  }

  private take(): mongo.ClientSession {
    const newest = this.free.pop();
    if (newest && performance.now() - newest.since <= IDLE_MS_MAX) return newest.session;
    // The sessions below the newest one are idle for even longer.
    for (const { session } of [...(newest ? [newest] : []), ...this.free.splice(0)]) this.end(session);
    const session = this.client.startSession();
    this.open.add(session);
    return session;
  }

  private giveBack(session: mongo.ClientSession): void {
    this.free.push({ session, since: performance.now() });
  }

  private end(session: mongo.ClientSession): void {
    this.open.delete(session);
    session.endSession().catch(() => undefined);
  }

  private isRecorded(session: mongo.ClientSession): boolean {
    return this.recorded.has(session) && performance.now() < this.trustedUntil;
  }

  private async record(): Promise<void> {
    const sessions = new Set(this.open);
    await this.processes.updateOne(
      { _id: this.processId },
      { $set: { sessions: idsOf(sessions) }, $inc: { beat: 1 } },
      { upsert: true },
    );
    this.recorded = sessions;
    this.confirm();
  }
}

function idsOf(sessions: Iterable<mongo.ClientSession>): mongo.BSON.Binary[] {
  return [...sessions].flatMap(({ id }) => (id ? [id.id] : []));
}
