import { benchAlive } from './alive/alive.ts';
import { drawAlive } from './alive/draw.ts';
import type { BenchSandbox } from './bench-sandbox.ts';
import { benchBulk, drawBulk, type BulkRow } from './bulk.ts';
import { benchCounts, drawCounts } from './counts.ts';
import { benchDirections, drawDirections } from './directions.ts';
import { benchDistance, drawDistance } from './distance.ts';
import { benchIndexCosts, drawIndexCosts } from './index-costs.ts';
import { benchSingle, drawSingle } from './latency.ts';
import { benchManyMoves, drawManyMoves } from './many-moves.ts';
import { benchQueue, drawQueue } from './queue.ts';
import { countRoundTrips, drawRoundTrips } from './round-trips.ts';
import { benchScaleOut, drawScaleOut } from './scale-out.ts';
import type { Scope } from './scope.ts';
import { benchStart, drawStart } from './start.ts';
import { benchTexters, drawTexters } from './texters.ts';

/** A part of the benchmark of operations. */
export interface Part {
  /** What it measures. */
  readonly what: string;
  /** The name of its result in the report. */
  readonly key: string;
  /** The workers that run. Parts without one run operations in this process, and reconcile passes would run them too. */
  readonly workers: 0 | 1;
  readonly measure: (bench: BenchSandbox, scope: Scope) => Promise<Measurement>;
}

interface Measurement {
  readonly result: unknown;
  readonly drawn: string;
}

function part<Result>(
  of: Omit<Part, 'measure'>,
  measure: (bench: BenchSandbox, scope: Scope) => Promise<Result>,
  draw: (result: Result) => string,
): Part {
  return {
    ...of,
    measure: async (bench, scope) => {
      const result = await measure(bench, scope);
      return { result, drawn: draw(result) };
    },
  };
}

/** In the order in which they run. */
export const PARTS = {
  start: part(
    { what: 'programs and operations of a process that has just started', key: 'start', workers: 0 },
    (bench, { start, rounds }) => benchStart(bench, { ...start, rounds }),
    drawStart,
  ),
  trips: part(
    { what: 'round trips to the database for one operation', key: 'roundTrips', workers: 1 },
    (bench, { trips }) => countRoundTrips(bench, trips),
    drawRoundTrips,
  ),
  bulk: part(
    { what: 'a large reassign, beside other ways to write the same', key: 'bulk', workers: 1 },
    async (bench, { sizes, rounds, warmUp }) => {
      const rows: BulkRow[] = [];
      for (const conversations of sizes) rows.push(...(await benchBulk(bench, { conversations, rounds, warmUp })));
      return rows;
    },
    drawBulk,
  ),
  single: part({ what: 'one request, from enqueue to answer', key: 'single', workers: 1 }, benchSingle, drawSingle),
  moves: part(
    { what: 'many single moves that are sent together', key: 'manyMoves', workers: 1 },
    (bench, { manyMoves: moves, rounds }) => benchManyMoves(bench, { moves, rounds }),
    drawManyMoves,
  ),
  queue: part(
    { what: 'many operations that wait on one campaign', key: 'queue', workers: 1 },
    (bench, { queue }) => benchQueue(bench, queue),
    drawQueue,
  ),
  scale: part(
    { what: 'one, two and three workers', key: 'scaleOut', workers: 1 },
    (bench, { scale: conversations, workers, rounds }) => benchScaleOut(bench, { conversations, workers, rounds }),
    drawScaleOut,
  ),
  distance: part(
    { what: 'near databases, and databases that are 10 ms away', key: 'distance', workers: 0 },
    (_bench, { distance, rounds }) => benchDistance({ ...distance, rounds }),
    drawDistance,
  ),
  alive: part(
    { what: 'operations beside other writers and claims, and their undo', key: 'alive', workers: 1 },
    (bench, { alive, rounds }) => benchAlive(bench, { ...alive, rounds }),
    drawAlive,
  ),
  texters: part(
    { what: 'few and many texters', key: 'texters', workers: 0 },
    (bench, { texters, rounds }) => benchTexters(bench, { ...texters, rounds }),
    drawTexters,
  ),
  directions: part(
    { what: 'every direction in which conversations move', key: 'directions', workers: 0 },
    (bench, { directions, rounds }) => benchDirections(bench, { ...directions, rounds }),
    drawDirections,
  ),
  counts: part(
    { what: 'counts and previews', key: 'counts', workers: 0 },
    (bench, { counts, rounds }) => benchCounts(bench, { ...counts, rounds }),
    drawCounts,
  ),
  indexes: part(
    { what: 'what each index costs and saves', key: 'indexes', workers: 0 },
    (bench, { indexes, rounds }) => benchIndexCosts(bench, { ...indexes, rounds }),
    drawIndexCosts,
  ),
} as const satisfies Readonly<Record<string, Part>>;

export type PartName = keyof typeof PARTS;
export const PART_NAMES = Object.keys(PARTS) as PartName[];
