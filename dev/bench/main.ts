import { writeFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { benchAlive, type AliveOptions } from './alive/alive.ts';
import { drawAlive } from './alive/draw.ts';
import { benchBulk, drawBulk, type BulkRow } from './bulk.ts';
import { BenchSandbox } from './bench-sandbox.ts';
import { benchCounts, drawCounts } from './counts.ts';
import { benchDirections, drawDirections } from './directions.ts';
import { benchIndexCosts, drawIndexCosts } from './index-costs.ts';
import { benchSingle, benchStart, drawSingle } from './latency.ts';
import { benchManyMoves, drawManyMoves } from './many-moves.ts';
import { drawPlot } from './plot.ts';
import { benchQueue, drawQueue } from './queue.ts';
import { countRoundTrips, drawRoundTrips } from './round-trips.ts';
import { benchTexters, drawTexters } from './texters.ts';
import { benchScaleOut, drawScaleOut } from './scale-out.ts';
import { answerHelp } from './help.ts';

answerHelp({
  command: 'bench',
  what: 'Measures operations, and compares them with raw writes on the same database.',
  options: {
    '--parts LIST': 'parts, with commas (start,trips,bulk,single,scale)',
    '--sizes LIST': 'conversations of the part bulk (20000,100000,1000000)',
    '--rounds N': 'how often each figure is measured (3)',
    '--queued N': 'operations that wait in the part queue (10000)',
    '--svg FILE': 'draw a chart of the part bulk',
    '--smoke': 'run with a few hundred conversations, to check that it works',
  },
  parts: {
    start: 'until a worker process is ready',
    trips: 'round trips to the database for one operation',
    bulk: 'a large reassign, beside other ways to write the same',
    single: 'one request, from enqueue to answer',
    scale: 'one, two and three workers',
    alive: 'operations beside other writers and claims, and their undo',
    texters: 'few and many texters',
    directions: 'every direction in which conversations move',
    counts: 'counts and previews',
    indexes: 'what each index costs and saves',
    moves: 'many single moves that are sent together',
    queue: 'many operations that wait on one campaign',
  },
  example: '--parts bulk --sizes 20000 --rounds 1',
});

const { values } = parseArgs({
  options: {
    sizes: { type: 'string', default: '20000,100000,1000000' },
    rounds: { type: 'string', default: '3' },
    parts: { type: 'string', default: 'start,trips,bulk,single,scale' },
    queued: { type: 'string', default: '10000' },
    smoke: { type: 'boolean', default: false },
    out: { type: 'string' },
    svg: { type: 'string' },
  },
});

/** `requests` is chosen so that the single requests take about as long as the large operation beside them. */
const FULL = {
  requests: 5_000,
  large: 1_000_000,
  manyMoves: 2_000,
  queue: { few: 10, many: 10_000, measured: 500, others: 20 },
  scale: 200_000,
  workers: [1, 2, 3],
  trips: 20_000,
  texters: { conversations: 10_000, texters: [25, 2_000, 5_000] },
  directions: { conversations: 5_000 },
  counts: { conversations: 50_000, texters: [25, 2_000] },
  indexes: { conversations: 20_000 },
  starts: 5,
  warmUp: 60_000,
  alive: {
    conversations: 20_000,
    claimConversations: 50_000,
    writeRates: [100, 500, 'most'],
    limitMs: 60_000,
  } as Omit<AliveOptions, 'rounds'>,
};
const SMOKE: typeof FULL = {
  requests: 3,
  large: 1_000,
  manyMoves: 40,
  queue: { few: 2, many: 8, measured: 4, others: 2 },
  scale: 1_000,
  workers: [1, 2],
  trips: 500,
  texters: { conversations: 200, texters: [5, 60] },
  directions: { conversations: 100 },
  counts: { conversations: 200, texters: [5] },
  indexes: { conversations: 100 },
  starts: 1,
  warmUp: 200,
  alive: { conversations: 400, claimConversations: 2_000, writeRates: [20, 'most'], limitMs: 5_000 },
};

const scope = values.smoke ? SMOKE : FULL;
const sizes = values.smoke ? [200, 400] : values.sizes.split(',').map(Number);
const rounds = values.smoke ? 1 : Number(values.rounds);
const parts = new Set(values.parts.split(','));
const report: Record<string, unknown> = {};

function print(title: string, drawn: string): void {
  process.stdout.write(`\n${title}\n${drawn}\n`);
}

async function runBulk(bench: BenchSandbox): Promise<BulkRow[]> {
  const rows: BulkRow[] = [];
  for (const conversations of sizes) {
    rows.push(...(await benchBulk(bench, { conversations, rounds, warmUp: scope.warmUp })));
  }
  return rows;
}

const bench = await BenchSandbox.open();
try {
  if (parts.has('start')) {
    const startMs = await benchStart(bench, scope.starts);
    print('worker process ready', `${startMs.toFixed(0)} ms`);
    report['startMs'] = startMs;
  }
  await bench.sandbox.setWorkers(1);
  if (parts.has('trips')) {
    const trips = await countRoundTrips(bench, scope.trips);
    print('round trips to the database', drawRoundTrips(trips));
    report['roundTrips'] = trips;
  }
  if (parts.has('bulk')) {
    const bulk = await runBulk(bench);
    print('dealing a pool to 10 texters', drawBulk(bulk));
    report['bulk'] = bulk;
    if (values.svg) writeFileSync(values.svg, await drawPlot(bulk));
  }
  if (parts.has('single')) {
    const single = await benchSingle(bench, scope);
    print('one request, from enqueue to answer', drawSingle(single));
    report['single'] = single;
  }
  if (parts.has('moves')) {
    const moves = await benchManyMoves(bench, { moves: scope.manyMoves, rounds });
    print('many single moves at once', drawManyMoves(moves));
    report['manyMoves'] = moves;
  }
  if (parts.has('queue')) {
    const many = values.smoke ? scope.queue.many : Number(values.queued);
    const queue = await benchQueue(bench, { ...scope.queue, many, measured: Math.min(many, scope.queue.measured) });
    print('many operations on one campaign', drawQueue(queue));
    report['queue'] = queue;
  }
  if (parts.has('scale')) {
    const scale = await benchScaleOut(bench, { conversations: scope.scale, workers: scope.workers, rounds });
    print('workers', drawScaleOut(scale));
    report['scaleOut'] = scale;
  }
  if (parts.has('alive')) {
    await bench.sandbox.setWorkers(1);
    const alive = await benchAlive(bench, { ...scope.alive, rounds });
    print('campaigns that others change at the same time', drawAlive(alive));
    report['alive'] = alive;
  }
  // These run without a worker, whose reconcile passes would take up their operations.
  if (['texters', 'directions', 'counts', 'indexes'].some((part) => parts.has(part))) await bench.sandbox.setWorkers(0);
  if (parts.has('texters')) {
    const texters = await benchTexters(bench, { ...scope.texters, rounds });
    print('few and many texters', drawTexters(texters));
    report['texters'] = texters;
  }
  if (parts.has('directions')) {
    const directions = await benchDirections(bench, { ...scope.directions, rounds });
    print('all conversations of a campaign in each direction', drawDirections(directions));
    report['directions'] = directions;
  }
  if (parts.has('counts')) {
    const counts = await benchCounts(bench, { ...scope.counts, rounds });
    print('counts and previews', drawCounts(counts));
    report['counts'] = counts;
  }
  if (parts.has('indexes')) {
    const indexes = await benchIndexCosts(bench, { ...scope.indexes, rounds });
    print('writes and reads without an index', drawIndexCosts(indexes));
    report['indexes'] = indexes;
  }
  if (values.out) writeFileSync(values.out, `${JSON.stringify(report, null, 2)}\n`);
} finally {
  await bench.sandbox.close();
}
