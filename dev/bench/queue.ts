import { setTimeout as delay } from 'node:timers/promises';
import { table } from '../../src/cli/terminal.ts';
import type { Sent } from '../../src/producer/producer-port.ts';
import type { BenchSandbox } from './bench-sandbox.ts';
import { quantile } from './load.ts';

const TEXTERS = 10;
/** Conversations of one small operation. */
const SMALL = 10;
const WAIT = { waitMs: 3_600_000 };
const PAUSE_MS = 100;
const WARM_UP = 10;

export interface QueueOptions {
  /** How many operations are sent to one campaign at once: few, and many. */
  readonly few: number;
  readonly many: number;
  /** The rate of the many is that of so many that end when all have been sent. */
  readonly measured: number;
  /** How many operations of another campaign are measured, one after the other. */
  readonly others: number;
}

export interface QueueRow {
  readonly what: string;
  readonly operations: number;
  readonly perSecond?: number;
  readonly p50Ms?: number;
  readonly longestMs?: number;
}

/** Sends many small operations to one campaign at once, and measures them and the operations of another campaign. */
export async function benchQueue(bench: BenchSandbox, options: QueueOptions): Promise<QueueRow[]> {
  const { few, many, measured, others } = options;
  const busy = await bench.seedCampaign(TEXTERS, SMALL * (many + few + WARM_UP));
  const other = await bench.seedCampaign(TEXTERS, SMALL * (2 * others + WARM_UP));
  for (const campaignId of [busy, other]) await results(await sendAll(bench, campaignId, WARM_UP));
  const rateOfFew = await rateOf(bench, await sendAll(bench, busy, few), few);
  const alone = await oneByOne(bench, other, others);
  const sent = await sendAll(bench, busy, many);
  const beside = oneByOne(bench, other, others);
  const rateOfMany = await rateOf(bench, sent, measured);
  const rows = [
    { what: 'few on one campaign', operations: few, perSecond: rateOfFew },
    { what: 'many on one campaign', operations: many, perSecond: rateOfMany },
    rowOf('another campaign, alone', alone),
    rowOf('another campaign, beside the many', await beside),
  ];
  await bench.sandbox.producer.cancelQueued({ campaignId: busy }, WAIT);
  return rows;
}

async function send({ sandbox }: BenchSandbox, campaignId: string): Promise<Sent> {
  const operationId = sandbox.newId('op');
  const all = { from: 'pool', to: 'everyone', status: 'any', count: SMALL } as const;
  return sandbox.producer.reassign({ operationId, campaignId, ...all });
}

async function sendAll(bench: BenchSandbox, campaignId: string, count: number): Promise<Sent[]> {
  return Promise.all(Array.from({ length: count }, () => send(bench, campaignId)));
}

async function results(sent: readonly Sent[]): Promise<void> {
  await Promise.all(sent.map((each) => each.result(WAIT)));
}

/**
 * Returns how many of the operations ended in a second. It uses the times that the worker stored: operations end while this
 * process still sends the others, and this process receives their results later.
 */
async function rateOf({ sandbox }: BenchSandbox, sent: readonly Sent[], measured: number): Promise<number> {
  const { operations } = sandbox.context.database;
  const filter = { _id: { $in: sent.map(({ operationId }) => operationId) }, endedAt: { $ne: null } };
  const countEnded = (): Promise<number> => operations.countDocuments(filter);
  const skip = Math.min(await countEnded(), sent.length - measured);
  while ((await countEnded()) < skip + measured) await delay(PAUSE_MS);
  const order = { projection: { endedAt: 1 }, sort: { endedAt: 1 } } as const;
  const found = await operations.find(filter, { ...order, skip, limit: measured }).toArray();
  const times = found.map(({ endedAt }) => endedAt?.getTime() ?? NaN);
  return (1_000 * (times.length - 1)) / ((times.at(-1) ?? NaN) - (times[0] ?? NaN));
}

async function oneByOne(bench: BenchSandbox, campaignId: string, count: number): Promise<number[]> {
  const times: number[] = [];
  for (let at = 0; at < count; at += 1) {
    const sentAt = performance.now();
    await results([await send(bench, campaignId)]);
    times.push(performance.now() - sentAt);
    await delay(PAUSE_MS);
  }
  return times.sort((a, b) => a - b);
}

function rowOf(what: string, times: readonly number[]): QueueRow {
  return { what, operations: times.length, p50Ms: quantile(times, 0.5), longestMs: times.at(-1) ?? NaN };
}

export function drawQueue(rows: readonly QueueRow[]): string {
  const text = (value: number | undefined, digits: number): string => value?.toFixed(digits) ?? '';
  const lines = rows.map(({ what, operations, perSecond, p50Ms, longestMs }) => {
    return [what, operations, text(perSecond, 1), text(p50Ms, 0), text(longestMs, 0)];
  });
  return table(['operations', 'number', 'a second', 'p50 ms', 'longest ms'], lines);
}
