import { writeFileSync } from 'node:fs';
import { table } from '../../src/cli/terminal.ts';
import type { Sent } from '../../src/producer/producer-port.ts';
import { BenchSandbox } from './bench-sandbox.ts';
import { median } from './load.ts';
import { benchCommand, wholeNumber } from './options.ts';

interface Options {
  readonly large: number;
  readonly small: number;
  readonly campaigns: number;
  readonly workers: number;
  readonly out?: string;
}

const options = benchCommand({
  name: 'bench:fairness',
  description: 'Measures small operations alone, and beside a large one.',
  example: '--large 100000',
})
  .option('--large <number>', 'conversations of the large operation', wholeNumber, 1_000_000)
  .option('--small <number>', 'conversations of each small operation', wholeNumber, 500)
  .option('--campaigns <number>', 'small campaigns', wholeNumber, 20)
  .option('--workers <number>', 'worker processes', wholeNumber, 1)
  .parse()
  .opts<Options>();

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
  for (let at = 0; at < options.campaigns; at += 1) {
    small.push(await bench.seedCampaign(TEXTERS, options.small));
  }
  const large = await bench.seedCampaign(TEXTERS, options.large);
  await bench.sandbox.setWorkers(options.workers);
  await dealAll(bench, small);
  await bench.refillPools(small);
  const aloneMs = await dealAll(bench, small);
  await bench.refillPools(small);
  const startedAt = performance.now();
  const sent = await dealPool(bench, large);
  const largeMs = sent.result(WAIT).then(() => performance.now() - startedAt);
  const besideMs = await dealAll(bench, small);
  return { aloneMs, besideMs, largeMs: await largeMs, ratio: median(besideMs) / median(aloneMs) };
}

const bench = await BenchSandbox.open();
try {
  const fairness = await measureFairness(bench);
  const { aloneMs, besideMs, largeMs, ratio } = fairness;
  const row = (what: string, times: readonly number[]): [string, string, string] => {
    return [what, median(times).toFixed(0), (times.at(-1) ?? NaN).toFixed(0)];
  };
  const rows = [row('small, alone', aloneMs), row('small, beside the large one', besideMs), row('large', [largeMs])];
  process.stdout.write(`${table(['operation', 'median ms', 'longest ms'], rows)}\n`);
  process.stdout.write(`beside the large one they take ${ratio.toFixed(2)} times as long; the limit is ${RATIO_MAX}\n`);
  if (options.out) writeFileSync(options.out, `${JSON.stringify(fairness, null, 2)}\n`);
} finally {
  await bench.sandbox.close();
}
