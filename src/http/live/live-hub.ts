import { StreamReader } from '../../events/index.ts';
import type { RedisConnection } from '../../queue/connection.ts';
import { HttpProblem } from '../problem.ts';
import type { CountsOfEvent } from './live-counts.ts';
import { LiveCampaign } from './live-campaign.ts';
import type { Watcher } from './watcher.ts';

const HEARTBEAT_MS = 15_000;
/** A revoked key or token ends its streams within about this time. */
const OWNER_CHECK_MS = 3_000;
/** Streams of one key, of one texter, and of all, in one process. */
export const STREAMS_OF_KEY_MAX = 2_000;
export const STREAMS_OF_TEXTER_MAX = 5;
const STREAMS_MAX = 4_000;

/** Who has opened a stream. */
export interface StreamOwner {
  readonly id: string;
  readonly streamsMax: number;
  /** Returns false when the key or token is not valid any more. */
  readonly isLive: () => Promise<boolean>;
}

interface OwnedStreams {
  readonly owner: StreamOwner;
  readonly watchers: Set<Watcher>;
}

export interface LiveHubOptions {
  readonly prefix: string;
  /** The connection of the waiting reads. */
  readonly readerRedis: RedisConnection;
  readonly redis: RedisConnection;
  readonly readCounts: (campaignId: string) => Promise<CountsOfEvent>;
  readonly onError: (error: Error) => void;
}

/** The streams of events of one process. */
export class LiveHub {
  private readonly options: LiveHubOptions;
  private readonly reader: StreamReader;
  private readonly campaigns = new Map<string, LiveCampaign>();
  /** The open streams of each key and texter. */
  private readonly streams = new Map<string, OwnedStreams>();
  private readonly timers: readonly NodeJS.Timeout[];

  constructor(options: LiveHubOptions) {
    const { readerRedis, redis, prefix, onError } = options;
    this.options = options;
    this.reader = new StreamReader({ redis: readerRedis, commands: redis, prefix, onError });
    this.timers = [
      setInterval(() => this.campaigns.forEach((campaign) => campaign.tick()), HEARTBEAT_MS).unref(),
      setInterval(() => void this.endRevoked(), OWNER_CHECK_MS).unref(),
    ];
  }

  campaign(campaignId: string): LiveCampaign {
    const known = this.campaigns.get(campaignId);
    if (known) return known;
    const { prefix, redis, readCounts } = this.options;
    const campaign = new LiveCampaign({
      ...{ campaignId, prefix, redis, reader: this.reader },
      readCounts: () => readCounts(campaignId),
      onUnused: () => {
        if (this.campaigns.get(campaignId) === campaign) this.campaigns.delete(campaignId);
      },
    });
    this.campaigns.set(campaignId, campaign);
    return campaign;
  }

  /** Gives a stream a place, or throws a problem. Returns a function that gives the place back. */
  enter(owner: StreamOwner, watcher: Watcher): () => void {
    const { id, streamsMax } = owner;
    const streams = this.streams.get(id) ?? { owner, watchers: new Set<Watcher>() };
    if (streams.watchers.size >= streamsMax) throw tooMany(streamsMax, 'of one client');
    if (this.count >= STREAMS_MAX) throw tooMany(STREAMS_MAX, 'of one server');
    // The newest token is the last to expire.
    this.streams.set(id, { owner, watchers: streams.watchers.add(watcher) });
    return () => {
      if (streams.watchers.delete(watcher) && streams.watchers.size === 0) this.streams.delete(id);
    };
  }

  /** Ends every stream. Clients connect to another server. */
  stop(): void {
    for (const { watchers } of [...this.streams.values()]) endAll(watchers, 'server-stops');
  }

  close(): void {
    for (const timer of this.timers) clearInterval(timer);
    this.reader.close();
  }

  private get count(): number {
    return [...this.streams.values()].reduce((sum, { watchers }) => sum + watchers.size, 0);
  }

  private async endRevoked(): Promise<void> {
    const checks = [...this.streams.values()].map(async ({ owner, watchers }) => {
      // A service that cannot be reached says nothing about the key or token.
      const isLive = await owner.isLive().catch(() => true);
      if (!isLive) endAll(watchers, 'access-ended');
    });
    await Promise.all(checks);
  }
}

function endAll(watchers: ReadonlySet<Watcher>, reason: Parameters<Watcher['end']>[0]): void {
  for (const watcher of [...watchers]) watcher.end(reason);
}

function tooMany(max: number, whose: string): HttpProblem {
  return new HttpProblem('too-many-streams', {
    message: `more than ${max} streams of events ${whose} would be open`,
    expected: `at most ${max} streams ${whose}`,
    received: 'more',
    headers: { 'retry-after': '5' },
  });
}
