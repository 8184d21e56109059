import { table } from '../../src/cli/terminal.ts';
import { throughBaton } from './bulk-ways.ts';
import type { BenchSandbox } from './bench-sandbox.ts';
import { median } from './load.ts';
import { drawSpread, ratioOf, type Spread } from './spread.ts';

export interface ScaleRow {
  readonly workers: number;
  readonly campaigns: number;
  readonly conversations: number;
  readonly perSecond: number;
  /** The rate divided by the rate of one worker in the same round. */
  readonly ofOne: Spread;
}

const CAMPAIGNS = 20;
const TEXTERS = 10;

/** Sends one operation to each of twenty campaigns at the same time, to one, two and three workers in each round. */
export async function benchScaleOut(
  bench: BenchSandbox,
  options: { readonly conversations: number; readonly rounds: number; readonly workers: readonly number[] },
): Promise<ScaleRow[]> {
  const each = options.conversations / CAMPAIGNS;
  const campaignIds: string[] = [];
  for (let at = 0; at < CAMPAIGNS; at += 1) campaignIds.push(await bench.seedCampaign(TEXTERS, each));
  const dealPerSecond = async (): Promise<number> => {
    const startedAt = performance.now();
    await Promise.all(campaignIds.map((campaignId) => throughBaton(bench.sandbox, { campaignId })));
    const perSecond = options.conversations / ((performance.now() - startedAt) / 1_000);
    await bench.refillPools(campaignIds);
    return perSecond;
  };
  const rates = new Map<number, number[]>();
  for (let round = 0; round < options.rounds; round += 1) {
    for (const workers of options.workers) {
      await bench.sandbox.setWorkers(workers);
      // The first run warms up the new processes.
      await dealPerSecond();
      rates.set(workers, [...(rates.get(workers) ?? []), await dealPerSecond()]);
      process.stderr.write('.');
    }
  }
  await bench.sandbox.setWorkers(1);
  const one = rates.get(1) ?? [];
  return [...rates].map(([workers, own]) => ({
    workers,
    campaigns: CAMPAIGNS,
    conversations: options.conversations,
    perSecond: median(own),
    ofOne: ratioOf(own, one),
  }));
}

export function drawScaleOut(rows: readonly ScaleRow[]): string {
  const lines = rows.map(({ workers, campaigns, conversations, perSecond, ofOne }) => [
    workers,
    campaigns,
    conversations,
    Math.round(perSecond),
    drawSpread(ofOne),
  ]);
  return table(['workers', 'campaigns', 'conversations', 'per second', 'of one worker'], lines);
}
