import { table } from '../../src/cli/terminal.ts';
import { throughBaton } from './bulk-ways.ts';
import type { Ground } from './ground.ts';
import { median } from './load.ts';

export interface ScaleRow {
  readonly workers: number;
  readonly campaigns: number;
  readonly conversations: number;
  readonly perSecond: number;
  /** Against one worker of the same run. */
  readonly ofOne: number;
}

const CAMPAIGNS = 20;
const TEXTERS = 10;

/** One operation on each of twenty campaigns, all sent at once, to one, two and three workers in turns. */
export async function benchScaleOut(
  ground: Ground,
  options: { readonly conversations: number; readonly rounds: number; readonly workers: readonly number[] },
): Promise<ScaleRow[]> {
  const each = options.conversations / CAMPAIGNS;
  const campaignIds: string[] = [];
  for (let at = 0; at < CAMPAIGNS; at += 1) campaignIds.push(await ground.seedCampaign(TEXTERS, each));
  /** Conversations a second. */
  const dealAll = async (): Promise<number> => {
    const startedAt = performance.now();
    await Promise.all(campaignIds.map((campaignId) => throughBaton(ground.place, { campaignId })));
    const perSecond = options.conversations / ((performance.now() - startedAt) / 1_000);
    await ground.refill(campaignIds);
    return perSecond;
  };
  const rates = new Map<number, number[]>();
  for (let round = 0; round < options.rounds; round += 1) {
    for (const workers of options.workers) {
      await ground.place.setWorkers(workers);
      // New processes are slow at first: that is another question.
      await dealAll();
      rates.set(workers, [...(rates.get(workers) ?? []), await dealAll()]);
      process.stderr.write('.');
    }
  }
  await ground.place.setWorkers(1);
  const one = rates.get(1) ?? [];
  return [...rates].map(([workers, own]) => ({
    workers,
    campaigns: CAMPAIGNS,
    conversations: options.conversations,
    perSecond: median(own),
    ofOne: median(own.map((rate, round) => rate / (one[round] ?? NaN))),
  }));
}

export function drawScaleOut(rows: readonly ScaleRow[]): string {
  const lines = rows.map(({ workers, campaigns, conversations, perSecond, ofOne }) => [
    workers,
    campaigns,
    conversations,
    Math.round(perSecond),
    ofOne.toFixed(2),
  ]);
  return table(['workers', 'campaigns', 'conversations', 'a second', 'of one worker'], lines);
}
