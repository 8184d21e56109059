import { writeFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { table } from '../../src/cli/terminal.ts';
import { findAndGuardedUpdate, findOneAndUpdateLoop, selfAssign, type ClaimWay } from './claim-ways.ts';
import { BenchSandbox } from './bench-sandbox.ts';
import { measure, median, type Measured } from './load.ts';

/** One row of the comparison. */
interface Row extends Case, Measured {
  readonly way: string;
  readonly workers: number;
}

interface Case {
  readonly askers: number;
  readonly count: number;
  readonly pool: number;
  readonly campaigns: number;
}

interface Way {
  readonly name: string;
  readonly claim: ClaimWay;
  /** The number of worker processes that it needs. */
  readonly workers: number;
}

const BATON: Way = { name: 'baton', claim: selfAssign, workers: 1 };

const WAYS: readonly Way[] = [
  { name: 'loop of findOneAndUpdate', claim: findOneAndUpdateLoop, workers: 0 },
  { name: 'find, guarded update', claim: findAndGuardedUpdate, workers: 0 },
  BATON,
];
const THE_CASE: Case = { askers: 50, count: 10, pool: 20_000, campaigns: 1 };

const { values } = parseArgs({
  options: {
    seconds: { type: 'string', default: '3' },
    pools: { type: 'string', default: '20000,500000' },
    askers: { type: 'string', default: '1,50,200' },
    out: { type: 'string' },
    smoke: { type: 'boolean', default: false },
  },
});
const numbers = (list: string): number[] => list.split(',').map(Number);

/** The share of the pool that may be claimed, so that no claim finds it empty. */
const POOL_SHARE_MAX = 0.8;

async function run(
  bench: BenchSandbox,
  campaignIds: readonly string[],
  of: Case,
  way: Way,
  workers: number,
): Promise<Row> {
  const requestsMax = Math.floor((of.pool * POOL_SHARE_MAX) / of.count);
  let requests = 0;
  const ask = async (asker: number, timeLeftMs: () => number): Promise<number> => {
    const campaignId = campaignIds[(requests += 1) % campaignIds.length] ?? '';
    const wanted = { campaignId, texterId: `t${asker}`, count: of.count, timeLeftMs };
    return (await way.claim(bench.sandbox, wanted)) / of.count;
  };
  const warmUp = { askers: Math.min(of.askers, requestsMax), requestsMax: Math.min(of.askers, requestsMax / 4) };
  await measure({ ...warmUp, durationMsMax: 1_000 }, ask);
  const load = {
    askers: of.askers,
    requestsMax: requestsMax - warmUp.requestsMax,
    durationMsMax: Number(values.seconds) * 1_000,
  };
  const measured = await measure(load, ask);
  await bench.refillPools(campaignIds);
  return { ...of, ...measured, way: way.name, workers };
}

/** Runs every way on the same pools, one after the other, so that changes of the machine's speed affect all of them. */
async function runPool(bench: BenchSandbox, pool: number, campaigns: number): Promise<Row[]> {
  const askersMax = Math.max(...numbers(values.askers));
  const campaignIds: string[] = [];
  for (let at = 0; at < campaigns; at += 1) campaignIds.push(await bench.seedCampaign(askersMax, pool / campaigns));
  const rows: Row[] = [];
  await bench.sandbox.setWorkers(1);
  for (const askers of numbers(values.askers)) {
    for (const count of values.smoke ? [10] : [10, 300]) {
      for (const way of WAYS) {
        rows.push(await run(bench, campaignIds, { askers, count, pool, campaigns }, way, way.workers));
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
      return run(bench, [campaignId], THE_CASE, BATON, workers);
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
  const rows: Row[] = [];
  for (const pool of numbers(values.pools)) {
    for (const campaigns of values.smoke ? [1] : [1, 20]) rows.push(...(await runPool(bench, pool, campaigns)));
  }
  const byWorkers = await runWorkers(bench);
  process.stdout.write(`\n${drawn(rows)}\n\nby worker processes\n${drawn(byWorkers)}\n`);
  if (values.out) writeFileSync(values.out, `${JSON.stringify({ rows, byWorkers }, null, 2)}\n`);
} finally {
  await bench.sandbox.close();
}
