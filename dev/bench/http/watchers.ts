import { get, type IncomingMessage } from 'node:http';
import { once } from 'node:events';
import { setTimeout as delay } from 'node:timers/promises';
import { quantile } from '../load.ts';
import { dealAll, type HttpBench } from './parts.ts';

const SETTLED_MS = 1_500;
const CONNECTIONS_AT_ONCE = 50;
/** The id of an event begins with the time at which Redis received it, a moment after the commit. */
const EVENT_ID = /^id: (\d+)-/gm;

export interface WatchersRow {
  readonly watchers: number;
  readonly events: number;
  /** From Redis, which has the event up to 100 ms after the commit, to the client. */
  readonly p50Ms: number;
  readonly p99Ms: number;
  readonly kibPerWatcher: number;
  readonly operationPerSecond: number;
}

/** Watches a campaign with many clients while an operation runs. */
export async function benchWatchers(http: HttpBench, watchers: number, size: number): Promise<WatchersRow> {
  const { bench, server } = http;
  const campaignId = await bench.seedCampaign(50, size);
  const url = `${server.address}/v1/campaigns/${campaignId}/events`;
  const idleKib = server.residentKib();
  const delays: number[] = [];
  const streams: IncomingMessage[] = [];
  while (streams.length < watchers) {
    const count = Math.min(CONNECTIONS_AT_ONCE, watchers - streams.length);
    streams.push(...(await Promise.all(Array.from({ length: count }, () => open(url, server.headers)))));
  }
  await delay(SETTLED_MS);
  const kibPerWatcher = (server.residentKib() - idleKib) / watchers;
  for (const stream of streams) {
    stream.on('data', (piece: string) => {
      const at = Date.now();
      for (const [, ms] of piece.matchAll(EVENT_ID)) delays.push(at - Number(ms));
    });
  }
  const startedAt = performance.now();
  await dealAll(bench, campaignId);
  const operationPerSecond = size / ((performance.now() - startedAt) / 1_000);
  await delay(SETTLED_MS);
  for (const stream of streams) stream.destroy();
  await bench.deleteConversations(campaignId);
  delays.sort((a, b) => a - b);
  const [p50Ms, p99Ms] = [quantile(delays, 0.5), quantile(delays, 0.99)];
  return { watchers, events: delays.length, p50Ms, p99Ms, kibPerWatcher, operationPerSecond };
}

async function open(url: string, headers: Readonly<Record<string, string>>): Promise<IncomingMessage> {
  const [response] = (await once(get(url, { headers, agent: false }), 'response')) as [IncomingMessage];
  if (response.statusCode !== 200) throw new Error(`a stream answered ${response.statusCode}`);
  response.setEncoding('utf8').on('error', () => undefined);
  response.resume();
  return response;
}
