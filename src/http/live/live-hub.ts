import { StreamReader } from '../../events/index.ts';
import type { RedisConnection } from '../../queue/connection.ts';
import { HttpProblem } from '../problem.ts';
import type { CountsOfEvent } from './counts-of-event.ts';
import { LiveCampaign } from './live-campaign.ts';
import type { Watcher } from './watcher.ts';

const HEARTBEAT_MS = 15_000;
/** A revoked key ends its streams within about this time. */
const KEY_CHECK_MS = 2_000;
/** Streams of one key, and of all keys, in one process. */
const STREAMS_OF_KEY_MAX = 2_000;
const STREAMS_MAX = 4_000;

export interface LiveHubOptions {
  readonly prefix: string;
  /** The connection of the waiting reads. */
  readonly readerRedis: RedisConnection;
  readonly redis: RedisConnection;
  readonly readCounts: (campaignId: string) => Promise<CountsOfEvent>;
  readonly isKeyLive: (keyId: string) => Promise<boolean>;
  readonly onError: (error: Error) => void;
}

/** The streams of events of one process. */
export class LiveHub {
  private readonly options: LiveHubOptions;
  private readonly reader: StreamReader;
  private readonly campaigns = new Map<string, LiveCampaign>();
  /** The open streams of each key. */
  private readonly streams = new Map<string, Set<Watcher>>();
  private readonly timers: readonly NodeJS.Timeout[];

  constructor(options: LiveHubOptions) {
    const { readerRedis, redis, prefix, onError } = options;
    this.options = options;
    this.reader = new StreamReader({ redis: readerRedis, commands: redis, prefix, onError });
    this.timers = [
      setInterval(() => this.campaigns.forEach((campaign) => campaign.tick()), HEARTBEAT_MS).unref(),
      setInterval(() => void this.endRevoked(), KEY_CHECK_MS).unref(),
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

  /** Gives the stream of a key a place, or throws a problem. Returns a function that gives the place back. */
  enter(keyId: string, watcher: Watcher): () => void {
    const ofKey = this.streams.get(keyId) ?? new Set<Watcher>();
    if (ofKey.size >= STREAMS_OF_KEY_MAX) throw tooMany(STREAMS_OF_KEY_MAX, 'of one key');
    if (this.count >= STREAMS_MAX) throw tooMany(STREAMS_MAX, 'of one server');
    this.streams.set(keyId, ofKey.add(watcher));
    return () => {
      ofKey.delete(watcher);
      if (ofKey.size === 0 && this.streams.get(keyId) === ofKey) this.streams.delete(keyId);
    };
  }

  /** Ends every stream. Clients connect to another server. */
  stop(): void {
    for (const watchers of [...this.streams.values()]) endAll(watchers, 'server-stops');
  }

  close(): void {
    for (const timer of this.timers) clearInterval(timer);
    this.reader.close();
  }

  private get count(): number {
    return [...this.streams.values()].reduce((sum, { size }) => sum + size, 0);
  }

  private async endRevoked(): Promise<void> {
    for (const [keyId, watchers] of [...this.streams]) {
      // A service that cannot be reached says nothing about the key.
      const isLive = await this.options.isKeyLive(keyId).catch(() => true);
      if (!isLive) endAll(watchers, 'key-revoked');
    }
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
