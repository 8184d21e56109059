import { writeFileSync } from 'node:fs';
import { table } from '../../src/cli/terminal.ts';
import { BenchSandbox } from './bench-sandbox.ts';
import { benchWaiting, drawWaiting } from './claims-beside-waiting.ts';
import { drawCompared, runFew, runTexters, type Compared } from './claim-comparisons.ts';
import { BATON, run, THE_CASE, WAYS, type Case, type Row } from './claim-runs.ts';
import { median, type Measured } from './load.ts';
import { benchCommand, listOf, listOption, positive, wholeNumber, wholeNumbers } from './options.ts';

const PARTS = {
  ways: 'claims beside other ways to take from a pool',
  workers: 'one, two and three workers',
  few: 'fifty texters in twenty campaigns',
  texters: 'campaigns of 25 and of 2,000 texters',
  waiting: 'claims beside waiting ones',
};
const PART_NAMES: readonly string[] = Object.keys(PARTS);

interface Options {
  readonly parts: readonly string[];
  readonly pools: readonly number[];
  readonly askers: readonly number[];
  readonly seconds: number;
  readonly rounds: number;
  readonly waiting: number;
  readonly smoke: boolean;
  readonly out?: string;
}

const values = benchCommand({
  name: 'bench:claims',
  description: 'Measures claims, and compares them with raw writes on the same pools.',
  parts: PARTS,
  example: '--parts ways --pools 20000 --seconds 1',
})
  .addOption(listOption('--parts <list>', 'parts, with commas', listOf(PART_NAMES), PART_NAMES))
  .addOption(
    listOption('--pools <list>', 'conversations of the pools in the part ways', wholeNumbers, [20_000, 500_000]),
  )
  .addOption(listOption('--askers <list>', 'texters who ask at the same time', wholeNumbers, [1, 50, 200]))
  .option('--seconds <number>', 'how long each figure is measured', positive, 3)
  .option('--rounds <number>', 'how often few, texters and waiting are measured', wholeNumber, 3)
  .option('--waiting <number>', 'waiting claims of the part waiting', wholeNumber, 10_000)
  .option('--smoke', 'run with small pools, to check that it works', false)
  .parse()
  .opts<Options>();

const rounds = values.smoke ? 1 : values.rounds;
const { seconds } = values;
const FULL = { pool: 40_000, texters: [25, 2_000] } as const;
const SMOKE = { pool: 2_000, texters: [5, 20] } as const;
const parts = new Set(values.parts);

/** Runs every way on the same pools, one after the other, so that changes of the machine's speed affect all of them. */
async function runPool(bench: BenchSandbox, pool: number, campaigns: number): Promise<Row[]> {
  const askersMax = Math.max(...values.askers);
  const campaignIds: string[] = [];
  for (let at = 0; at < campaigns; at += 1) campaignIds.push(await bench.seedCampaign(askersMax, pool / campaigns));
  const rows: Row[] = [];
  await bench.sandbox.setWorkers(1);
  for (const askers of values.askers) {
    for (const count of values.smoke ? [10] : [10, 300]) {
      for (const way of WAYS) {
        rows.push(
          await run(bench, campaignIds, { askers, count, pool, campaigns }, way, { workers: way.workers, seconds }),
        );
        process.stderr.write('.');
      }
    }
  }
  return rows;
}

/** In both directions, twice, because the speed of the machine changes over time. */
const WORKERS = [1, 2, 3, 3, 2, 1, 1, 2, 3, 3, 2, 1];

async function runWorkers(bench: BenchSandbox): Promise<Row[]> {
  const rows: Row[] = [];
  for (const workers of values.smoke ? [1] : WORKERS) {
    await bench.sandbox.setWorkers(workers);
    // A new pool each time: in a used one, the server reads past old versions of the documents until it removes them.
    const runOnNew = async (): Promise<Row> => {
      const campaignId = await bench.seedCampaign(THE_CASE.askers, THE_CASE.pool);
      return run(bench, [campaignId], THE_CASE, BATON, { workers, seconds });
    };
    // The first run warms up the new processes.
    await runOnNew();
    rows.push(await runOnNew());
    process.stderr.write('.');
  }
  return [...new Set(WORKERS)].flatMap((workers) => medianOf(rows.filter((row) => row.workers === workers)));
}

/** Takes the median of each figure separately. */
function medianOf(rows: readonly Row[]): Row[] {
  const [first] = rows;
  if (!first) return [];
  const of = (key: keyof Measured): number => median(rows.map((row) => row[key]));
  return [{ ...first, requests: of('requests'), perSecond: of('perSecond'), p50Ms: of('p50Ms'), p99Ms: of('p99Ms') }];
}

function drawn(rows: readonly Row[]): string {
  const head = ['pool', 'campaigns', 'texters', 'count', 'way', 'workers', 'requests/s', 'p50 ms', 'p99 ms', 'x loop'];
  const lines = rows.map((row) => {
    const loop = rows.find((other) => other.way === WAYS[0]?.name && sameCase(other, row));
    const ratio = loop && loop.perSecond > 0 ? (row.perSecond / loop.perSecond).toFixed(1) : '';
    const { pool, campaigns, askers, count, way, workers, perSecond, p50Ms, p99Ms } = row;
    return [
      pool,
      campaigns,
      askers,
      count,
      way,
      workers,
      perSecond.toFixed(1),
      p50Ms.toFixed(1),
      p99Ms.toFixed(1),
      ratio,
    ];
  });
  return table(head, lines);
}

function sameCase(a: Case, b: Case): boolean {
  return a.askers === b.askers && a.count === b.count && a.pool === b.pool && a.campaigns === b.campaigns;
}

const bench = await BenchSandbox.open();
try {
  const report: Record<string, unknown> = {};
  const print = (name: string, result: unknown, text: string): void => {
    report[name] = result;
    process.stdout.write(`\n${text}\n`);
  };
  if (parts.has('ways')) {
    const rows: Row[] = [];
    for (const pool of values.pools) {
      for (const campaigns of values.smoke ? [1] : [1, 20]) rows.push(...(await runPool(bench, pool, campaigns)));
    }
    print('rows', rows, drawn(rows));
  }
  if (parts.has('workers')) {
    const byWorkers = await runWorkers(bench);
    print('byWorkers', byWorkers, `by worker processes\n${drawn(byWorkers)}`);
  }
  const compared: Compared[] = [];
  const options = { rounds, seconds, ...(values.smoke ? SMOKE : FULL) } as const;
  if (parts.has('few')) compared.push(await runFew(bench, options));
  if (parts.has('texters')) compared.push(await runTexters(bench, options));
  if (compared.length > 0) print('compared', compared, drawCompared(compared));
  if (parts.has('waiting')) {
    await bench.sandbox.setWorkers(1);
    const asked = values.smoke
      ? { waiting: 50, requests: 5, rounds }
      : { waiting: values.waiting, requests: 60, rounds };
    const waiting = await benchWaiting(bench, asked);
    print('waiting', waiting, drawWaiting(waiting));
  }
  if (values.out) writeFileSync(values.out, `${JSON.stringify(report, null, 2)}\n`);
} finally {
  await bench.sandbox.close();
}
