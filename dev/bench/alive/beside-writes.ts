import type { BenchSandbox } from '../bench-sandbox.ts';
import { dealPool, measureOperation, noteRun, type Rate } from './operation.ts';
import { OutsideWriter, type Written } from './outside-writer.ts';

/** Writes a second, or as many as eight connections can send. */
export type WriteRate = number | 'most';

export interface WritesOptions {
  readonly conversations: number;
  readonly texters: number;
  readonly rounds: number;
  readonly writeRates: readonly WriteRate[];
  readonly limitMs: number;
}

/** One operation without other writers, or beside writes to its own campaign or to another one. */
export interface WritesRun extends Rate {
  readonly round: number;
  readonly writeRate: WriteRate | null;
  readonly beside: 'nothing' | 'same campaign' | 'other campaign';
  readonly writes: Written | null;
}

/** Deals a pool without other writers, and beside writes of another program. */
export async function benchBesideWrites(bench: BenchSandbox, options: WritesOptions): Promise<WritesRun[]> {
  const runs: WritesRun[] = [];
  // The first operations of a process are slower.
  await run(bench, options, { round: 0, writeRate: null, beside: 'nothing' });
  for (let round = 1; round <= options.rounds; round += 1) {
    runs.push(await run(bench, options, { round, writeRate: null, beside: 'nothing' }));
    noteRun('no other writers', runs.at(-1));
    for (const writeRate of options.writeRates) {
      // The order changes, because the speed of the machine changes over time.
      const order = ['other campaign', 'same campaign'] as const;
      for (const beside of round % 2 === 0 ? order.toReversed() : order) {
        runs.push(await run(bench, options, { round, writeRate, beside }));
        noteRun(`${writeRate} writes a second, ${beside}`, runs.at(-1));
      }
    }
  }
  return runs;
}

async function run(
  bench: BenchSandbox,
  { conversations, texters, limitMs }: WritesOptions,
  of: Pick<WritesRun, 'round' | 'writeRate' | 'beside'>,
): Promise<WritesRun> {
  const { sandbox } = bench;
  const campaignId = await bench.seedCampaign(texters, conversations);
  const otherId = await bench.seedCampaign(texters, of.beside === 'other campaign' ? conversations : 0);
  const ids = await bench.conversationIds(of.beside === 'other campaign' ? otherId : campaignId);
  const perSecond = of.writeRate === 'most' ? Infinity : of.writeRate;
  const writer = perSecond === null ? undefined : OutsideWriter.start(sandbox.config.mongo.uri, ids, perSecond);
  let stopping: Promise<Written> | undefined;
  const stop = async () => (stopping ??= writer?.stop());
  const rate = await measureOperation(sandbox, dealPool(sandbox, campaignId), limitMs, stop);
  const writes = (await stop()) ?? null;
  await bench.deleteConversations(campaignId);
  await bench.deleteConversations(otherId);
  return { ...of, ...rate, writes };
}
