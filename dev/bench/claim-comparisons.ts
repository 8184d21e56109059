import { table } from '../../src/cli/terminal.ts';
import type { BenchSandbox } from './bench-sandbox.ts';
import { BATON, GUARDED, run, THE_CASE, type Row } from './claim-runs.ts';
import { median } from './load.ts';
import { drawSpread, ratioOf, type Spread } from './spread.ts';

const FEW_CAMPAIGNS = 20;

interface Options {
  readonly rounds: number;
  readonly seconds: number;
  readonly pool: number;
  readonly texters: readonly [few: number, many: number];
}

/** One way in turn with another, in several rounds. The ratio is of the rates within one round. */
export interface Compared {
  readonly what: string;
  readonly perSecond: number;
  readonly comparedWith: string;
  readonly ratio: Spread;
}

async function compare(
  rounds: number,
  [what, first]: readonly [string, () => Promise<Row>],
  [comparedWith, second]: readonly [string, () => Promise<Row>],
): Promise<Compared> {
  const rates: number[] = [];
  const others: number[] = [];
  for (let round = 0; round < rounds; round += 1) {
    rates.push((await first()).perSecond);
    others.push((await second()).perSecond);
    process.stderr.write('.');
  }
  return { what, perSecond: median(rates), comparedWith, ratio: ratioOf(rates, others) };
}

/** Fifty texters in twenty campaigns, and the same without Baton. */
export async function runFew(bench: BenchSandbox, options: Options): Promise<Compared> {
  await bench.sandbox.setWorkers(1);
  const of = { ...THE_CASE, pool: options.pool, campaigns: FEW_CAMPAIGNS };
  const ids: string[] = [];
  for (let at = 0; at < FEW_CAMPAIGNS; at += 1) ids.push(await bench.seedCampaign(of.askers, of.pool / FEW_CAMPAIGNS));
  return compare(
    options.rounds,
    [
      `${of.askers} texters in ${FEW_CAMPAIGNS} campaigns`,
      () => run(bench, ids, of, BATON, { workers: 1, seconds: options.seconds }),
    ],
    ['find, guarded update', () => run(bench, ids, of, GUARDED, { workers: 0, seconds: options.seconds })],
  );
}

/** A campaign of 2,000 texters who all claim, and one of 25. */
export async function runTexters(bench: BenchSandbox, options: Options): Promise<Compared> {
  await bench.sandbox.setWorkers(1);
  const [few, many] = options.texters;
  const on = async (texters: number): Promise<() => Promise<Row>> => {
    const of = { ...THE_CASE, askers: texters, pool: options.pool };
    const campaignId = await bench.seedCampaign(texters, of.pool);
    return () => run(bench, [campaignId], of, BATON, { workers: 1, seconds: options.seconds });
  };
  return compare(options.rounds, [`${many} texters`, await on(many)], [`${few} texters`, await on(few)]);
}

export function drawCompared(rows: readonly Compared[]): string {
  const lines = rows.map(({ what, perSecond, comparedWith, ratio }) => {
    return [what, perSecond.toFixed(1), comparedWith, drawSpread(ratio)];
  });
  return table(['Baton', 'requests/s', 'compared with', 'ratio'], lines);
}
