import { writeFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { table } from '../../src/cli/terminal.ts';
import type { Sent } from '../../src/producer/producer-port.ts';
import { BenchSandbox } from './bench-sandbox.ts';
import { answerHelp } from './help.ts';

answerHelp({
  command: 'bench:fairness',
  what: 'Measures small operations alone, and beside a large one.',
  options: {
    '--large N': 'conversations of the large operation (1000000)',
    '--small N': 'conversations of each small operation (500)',
    '--campaigns N': 'small campaigns (20)',
    '--workers N': 'worker processes (1)',
  },
  example: '--large 100000',
});

const { values } = parseArgs({
  options: {
    large: { type: 'string', default: '1000000' },
    small: { type: 'string', default: '500' },
    campaigns: { type: 'string', default: '20' },
    workers: { type: 'string', default: '1' },
    out: { type: 'string' },
  },
});

const TEXTERS = 10;
const WAIT = { waitMs: 3_600_000 };
/** A small operation beside a large one may take this many times as long as alone. */
const RATIO_MAX = 2;

interface Fairness {
  readonly aloneMs: readonly number[];
  readonly besideMs: readonly number[];
  readonly largeMs: number;
  readonly ratio: number;
}

async function dealPool(bench: BenchSandbox, campaignId: string): Promise<Sent> {
  const operationId = bench.sandbox.newId('op');
  return bench.sandbox.producer.reassign({ operationId, campaignId, from: 'pool', to: 'everyone', status: 'any' });
}

/** Deals all pools at the same time. Returns the milliseconds from sending to the result, shortest first. */
async function dealAll(bench: BenchSandbox, campaignIds: readonly string[]): Promise<number[]> {
  const times = campaignIds.map(async (campaignId) => {
    const sentAt = performance.now();
    await (await dealPool(bench, campaignId)).result(WAIT);
    return performance.now() - sentAt;
  });
  return (await Promise.all(times)).sort((a, b) => a - b);
}

/** Deals small campaigns alone, and then again while a large campaign is dealt. */
async function measureFairness(bench: BenchSandbox): Promise<Fairness> {
  const small: string[] = [];
  for (let at = 0; at < Number(values.campaigns); at += 1) {
    small.push(await bench.seedCampaign(TEXTERS, Number(values.small)));
  }
  const large = await bench.seedCampaign(TEXTERS, Number(values.large));
  await bench.sandbox.setWorkers(Number(values.workers));
  await dealAll(bench, small);
  await bench.refillPools(small);
  const aloneMs = await dealAll(bench, small);
  await bench.refillPools(small);
  const startedAt = performance.now();
  const sent = await dealPool(bench, large);
  const largeMs = sent.result(WAIT).then(() => performance.now() - startedAt);
  const besideMs = await dealAll(bench, small);
  return { aloneMs, besideMs, largeMs: await largeMs, ratio: middle(besideMs) / middle(aloneMs) };
}

function middle(sorted: readonly number[]): number {
  return sorted[Math.floor(sorted.length / 2)] ?? NaN;
}

const bench = await BenchSandbox.open();
try {
  const fairness = await measureFairness(bench);
  const { aloneMs, besideMs, largeMs, ratio } = fairness;
  const row = (what: string, times: readonly number[]): [string, string, string] => {
    return [what, middle(times).toFixed(0), (times.at(-1) ?? NaN).toFixed(0)];
  };
  const rows = [row('small, alone', aloneMs), row('small, beside the large one', besideMs), row('large', [largeMs])];
  process.stdout.write(`${table(['operation', 'median ms', 'longest ms'], rows)}\n`);
  process.stdout.write(`beside the large one they take ${ratio.toFixed(2)} times as long; the limit is ${RATIO_MAX}\n`);
  if (values.out) writeFileSync(values.out, `${JSON.stringify(fairness, null, 2)}\n`);
} finally {
  await bench.sandbox.close();
}
