import {
  compareIds,
  follows,
  NO_CHANGES,
  readAfter,
  readTail,
  streamKey,
  type Entry,
  type Position,
  type StreamReader,
  type Topic,
} from '../../events/index.ts';
import type { RedisConnection } from '../../queue/connection.ts';
import { type CountsOfEvent, LiveCounts, type VersionedCounts } from './live-counts.ts';
import { campaignEvents } from './event-shapes.ts';
import { eventWriter } from './event-text.ts';

const write = eventWriter(campaignEvents);

export interface LiveCampaignOptions {
  readonly campaignId: string;
  readonly prefix: string;
  readonly redis: RedisConnection;
  readonly reader: StreamReader;
  readonly readCounts: () => Promise<CountsOfEvent>;
  /** Called when the last watcher has left. */
  readonly onUnused: () => void;
}

/** What a client starts with: the state of what it watches, with every change up to the position. */
export interface Snapshot {
  readonly position: Position;
  readonly text: string;
  /** True when nothing can follow: the stream ends. */
  readonly isLast: boolean;
}

/** Returned in place of a text when only the database knows what has changed: the client then gets a new snapshot. */
export const READ_AGAIN = Symbol('read again');

export type LiveText = string | typeof READ_AGAIN;

/** What one client sees of a campaign. */
export interface LiveView {
  /** Reads a snapshot that has every change up to `since` at least. */
  snapshot(since: Position): Promise<Snapshot>;
  /**
   * Returns the event about a change. `previous` is the version of the last event that the client has received. Returns `undefined`
   * when the change does not concern the client.
   */
  eventOf(entry: Entry, previous: number): LiveText | undefined;
  /** Called at intervals, because a change can be lost. Returns a last snapshot if there is one. */
  check?(): Promise<Snapshot | undefined>;
  /** True for a client that receives the counts of all texters. */
  readonly showsCounts: boolean;
}

/** A client that watches. */
export interface CampaignWatcher {
  readonly view: LiveView;
  deliver(entry: Entry): void;
  /** Sends an event that is not in the stream of changes. */
  send(text: Buffer): void;
  tick(): void;
}

/** A campaign that clients of this process watch. It is read once, however many they are. */
export class LiveCampaign {
  private readonly options: LiveCampaignOptions;
  private readonly key: string;
  private readonly watchers = new Set<CampaignWatcher>();
  private readonly counts: LiveCounts;
  private topic: Topic | undefined;
  /** How many streams are being opened. */
  private opening = 0;

  constructor(options: LiveCampaignOptions) {
    this.options = options;
    this.key = streamKey(options.prefix, options.campaignId);
    this.counts = new LiveCounts({ read: () => this.readCounts(), send: (counts) => this.sendCounts(counts) });
  }

  readTail(): Promise<Position> {
    return readTail(this.options.redis, this.key);
  }

  readAfter(position: Position, limit: number): Promise<readonly Entry[]> {
    return readAfter(this.options.redis, this.key, position, limit);
  }

  /** Returns true when Redis still has every change after the position. */
  async hasAllAfter(position: Position): Promise<boolean> {
    const [next] = position.version === NO_CHANGES.version ? [] : await this.readAfter(position, 1);
    if (next) return follows(next, position);
    const tail = await this.readTail();
    return tail.id === position.id && tail.version === position.version;
  }

  /** How far the stream has been read. */
  get reached(): Position | undefined {
    return this.topic?.position;
  }

  /** Returns true when nothing has been read from the stream that comes after the position. */
  isAt({ id }: Position): boolean {
    return this.reached !== undefined && compareIds(this.reached.id, id) <= 0;
  }

  join(watcher: CampaignWatcher, position: Position): void {
    this.watchers.add(watcher);
    this.topic ??= this.options.reader.watch(this.options.campaignId, position, (entry) => this.pass(entry));
    if (!watcher.view.showsCounts) return;
    // The snapshot may have been counted before the last change in it.
    this.counts.forgetSent();
    this.counts.touch();
  }

  leave(watcher: CampaignWatcher): void {
    this.watchers.delete(watcher);
    this.closeUnused();
  }

  /**
   * Keeps the campaign while a stream is being opened: a watcher that joined after the end would get no changes. Returns a
   * function that releases it.
   */
  hold(): () => void {
    this.opening += 1;
    return () => {
      this.opening -= 1;
      this.closeUnused();
    };
  }

  private closeUnused(): void {
    if (this.watchers.size > 0 || this.opening > 0) return;
    this.topic?.close();
    this.counts.close();
    this.options.onUnused();
  }

  /** Shows every client that the connection works, and finds what a lost change has not said. */
  tick(): void {
    for (const watcher of [...this.watchers]) watcher.tick();
    this.touchCounts();
  }

  private pass(entry: Entry): void {
    for (const watcher of [...this.watchers]) watcher.deliver(entry);
    this.touchCounts();
  }

  private touchCounts(): void {
    for (const { view } of this.watchers) if (view.showsCounts) return this.counts.touch();
  }

  /** The counts have every change up to their version at least. */
  private async readCounts(): Promise<VersionedCounts> {
    const version = this.reached?.version ?? NO_CHANGES.version;
    return { version, ...(await this.options.readCounts()) };
  }

  private sendCounts(counts: VersionedCounts): void {
    const text = Buffer.from(write('counts', counts));
    for (const watcher of this.watchers) if (watcher.view.showsCounts) watcher.send(text);
  }
}
