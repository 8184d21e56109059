import { writeFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { table } from '../../src/cli/terminal.ts';
import type { Sent } from '../../src/producer/producer-port.ts';
import { Ground } from './ground.ts';

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
/** How much longer a small campaign may take beside a large one than alone. */
const RATIO_MAX = 2;

interface Fairness {
  readonly aloneMs: readonly number[];
  readonly besideMs: readonly number[];
  readonly largeMs: number;
  readonly ratio: number;
}

async function dealPool(ground: Ground, campaignId: string): Promise<Sent> {
  const operationId = ground.place.newId('op');
  return ground.place.producer.reassign({ operationId, campaignId, from: 'pool', to: 'everyone', status: 'any' });
}

/** All at once; each one's time from being sent to being answered, in milliseconds, shortest first. */
async function dealAll(ground: Ground, campaignIds: readonly string[]): Promise<number[]> {
  const times = campaignIds.map(async (campaignId) => {
    const sentAt = performance.now();
    await (await dealPool(ground, campaignId)).result(WAIT);
    return performance.now() - sentAt;
  });
  return (await Promise.all(times)).sort((a, b) => a - b);
}

/** Small campaigns dealt alone, and again while a large one is being dealt. */
async function measureFairness(ground: Ground): Promise<Fairness> {
  const small: string[] = [];
  for (let at = 0; at < Number(values.campaigns); at += 1) {
    small.push(await ground.seedCampaign(TEXTERS, Number(values.small)));
  }
  const large = await ground.seedCampaign(TEXTERS, Number(values.large));
  await ground.place.setWorkers(Number(values.workers));
  await dealAll(ground, small);
  await ground.refill(small);
  const aloneMs = await dealAll(ground, small);
  await ground.refill(small);
  const startedAt = performance.now();
  const sent = await dealPool(ground, large);
  const largeMs = sent.result(WAIT).then(() => performance.now() - startedAt);
  const besideMs = await dealAll(ground, small);
  return { aloneMs, besideMs, largeMs: await largeMs, ratio: middle(besideMs) / middle(aloneMs) };
}

function middle(sorted: readonly number[]): number {
  return sorted[Math.floor(sorted.length / 2)] ?? NaN;
}

const ground = await Ground.open();
try {
  const fairness = await measureFairness(ground);
  const { aloneMs, besideMs, largeMs, ratio } = fairness;
  const row = (what: string, times: readonly number[]): [string, string, string] => {
    return [what, middle(times).toFixed(0), (times.at(-1) ?? NaN).toFixed(0)];
  };
  const rows = [row('small, alone', aloneMs), row('small, beside the large one', besideMs), row('large', [largeMs])];
  process.stdout.write(`${table(['operation', 'median ms', 'longest ms'], rows)}\n`);
  process.stdout.write(`beside it they take ${ratio.toFixed(2)} times as long; at most ${RATIO_MAX} is promised\n`);
  if (values.out) writeFileSync(values.out, `${JSON.stringify(fairness, null, 2)}\n`);
} finally {
  await ground.place.close();
}
