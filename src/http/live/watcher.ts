import { follows, NO_CHANGES, type Entry, type Position } from '../../events/index.ts';
import type { EventSink } from './event-sink.ts';
import { everyStream, type DataOf } from './event-shapes.ts';
import { eventWriter, HEARTBEAT } from './event-text.ts';
import { type CampaignWatcher, type LiveCampaign, READ_AGAIN, type LiveView } from './live-campaign.ts';

/** How many missed changes are sent again, in pages. A client that has missed more gets a snapshot. */
const REPLAYED_MAX = 500;
const PAGE = 100;

type ReasonOf<Name extends keyof typeof everyStream> = DataOf<typeof everyStream, Name>['reason'];

const write = eventWriter(everyStream);

interface WatcherParts {
  readonly campaign: LiveCampaign;
  readonly view: LiveView;
}

/** One client and the campaign that it watches. */
export class Watcher implements CampaignWatcher {
  readonly view: LiveView;
  private readonly campaign: LiveCampaign;
  private sink: EventSink | undefined;
  /** The client has received every change up to here that concerns it. */
  private position: Position = NO_CHANGES;
  private sentVersion = 0;
  /** True when the position is that of a snapshot: the client has not received a change after it. */
  private isAtSnapshot = false;
  /** False while the client gets what it has missed. */
  private isLive = false;

  constructor({ campaign, view }: WatcherParts) {
    this.campaign = campaign;
    this.view = view;
  }

  /** Reads what the client starts with: nothing if it can continue after `last`, otherwise a snapshot. */
  async open(lastEventId: string | undefined, last: Position | undefined): Promise<{ text: string; isLast: boolean }> {
    if (last && (await this.campaign.hasAllAfter(last))) {
      this.moveTo(last);
      return { text: '', isLast: false };
    }
    const { text, isLast, position } = await this.view.snapshot(NO_CHANGES);
    this.moveTo(position);
    this.isAtSnapshot = true;
    const reason = last ? 'events-lost' : 'unknown-event-id';
    return { text: lastEventId === undefined ? text : resetText(reason) + text, isLast };
  }

  /** Sends everything after the start, until the client goes or the stream ends. */
  begin(sink: EventSink): void {
    this.sink = sink;
    this.campaign.join(this, this.position);
    sink.onClose(() => this.campaign.leave(this));
    this.run(() => this.follow(sink));
  }

  deliver(entry: Entry): void {
    const { sink } = this;
    if (!sink || !this.isLive) return;
    if (sink.isFull) return this.reset(sink, 'slow-client');
    this.take(sink, entry);
  }

  send(text: Buffer): void {
    if (this.isLive && this.sink?.isFull === false) this.sink.write(text);
  }

  tick(): void {
    if (this.sink?.isFull === false) this.sink.write(HEARTBEAT);
    const { sink, view } = this;
    if (!sink || !this.isLive || !view.check) return;
    this.run(async () => {
      const last = await view.check?.();
      if (last) sink.end(last.text);
    });
  }

  end(reason: ReasonOf<'bye'>): void {
    this.isLive = false;
    this.sink?.end(write('bye', { reason }));
  }

  private moveTo(position: Position): void {
    this.position = position;
    this.sentVersion = position.version;
  }

  /** Sends what the client has missed, and then lets it receive each change as it comes. */
  private async follow(sink: EventSink): Promise<void> {
    for (let replayed = 0; !sink.isClosed; replayed += PAGE) {
      await sink.drained();
      const { reached } = this.campaign;
      if (this.campaign.isAt(this.position)) return this.goLive();
      if (replayed >= REPLAYED_MAX) return this.reset(sink, 'events-lost');
      const entries = await this.campaign.readAfter(this.position, PAGE);
      if (entries.length === 0) {
        // Redis has lost changes that other clients received. A snapshot has them, but not those that came during the read.
        if (!this.isAtSnapshot) return this.reset(sink, 'events-lost');
        if (this.campaign.reached === reached) return this.goLive();
      }
      for (const entry of entries) if (!this.take(sink, entry)) return;
    }
  }

  private goLive(): void {
    this.isLive = true;
  }

  /** Returns false when the client cannot simply continue with the next change. */
  private take(sink: EventSink, entry: Entry): boolean {
    if (!follows(entry, this.position)) {
      this.reset(sink, 'events-lost', entry);
      return false;
    }
    const event = this.view.eventOf(entry, this.sentVersion);
    this.position = entry;
    this.isAtSnapshot = false;
    if (event === READ_AGAIN) {
      this.run(() => this.sendSnapshot(sink, entry));
      return false;
    }
    if (event !== undefined) {
      sink.write(event);
      this.sentVersion = entry.version;
    }
    return true;
  }

  private reset(sink: EventSink, reason: ReasonOf<'reset'>, since = this.position): void {
    this.isLive = false;
    this.run(async () => {
      await sink.drained();
      sink.write(resetText(reason));
      await this.sendSnapshot(sink, since);
    });
  }

  private async sendSnapshot(sink: EventSink, since: Position): Promise<void> {
    this.isLive = false;
    const { text, isLast, position } = await this.view.snapshot(since);
    if (isLast) return sink.end(text);
    sink.write(text);
    this.moveTo(position);
    this.isAtSnapshot = true;
    await this.follow(sink);
  }

  /** A client that cannot be served now connects again later. */
  private run(work: () => Promise<void>): void {
    work().catch(() => this.end('unavailable'));
  }
}

function resetText(reason: ReasonOf<'reset'>): string {
  return write('reset', { reason });
}
