import { execFile } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';

const run = promisify(execFile);
const ROOT = new URL('../..', import.meta.url).pathname;
const TIMEOUT_MS = 180_000;

interface Report {
  readonly start: {
    readonly programs: readonly { readonly what: string; readonly ms: Spread }[];
    readonly cold: { readonly conversations: number; readonly ofRaw: Spread };
  };
  readonly roundTrips: readonly { readonly what: string; readonly trips: number }[];
  readonly bulk: readonly { readonly way: string; readonly measuredOn: number; readonly perSecond: number }[];
  readonly single: readonly { readonly what: string; readonly requests: number }[];
  readonly alive: {
    readonly writes: readonly { readonly beside: string }[];
    readonly claims: readonly { readonly beside: string; readonly claims: number }[];
    readonly undos: readonly { readonly isAlive: boolean }[];
  };
  readonly scaleOut: readonly { readonly workers: number }[];
}

interface Spread {
  readonly median: number;
  readonly min: number;
  readonly max: number;
}

interface MovesReport {
  readonly manyMoves: readonly {
    readonly way: string;
    readonly moves: number;
    readonly p50Ms: number;
    readonly p99Ms: number;
  }[];
  readonly queue: readonly { readonly operations: number; readonly perSecond?: number; readonly p50Ms?: number }[];
  readonly distance: readonly {
    readonly what: string;
    readonly far: Spread;
    readonly inSequence: { readonly mongodb: Spread; readonly redis: Spread } | null;
  }[];
}

interface ScaleReport {
  readonly texters: readonly { readonly texters: number; readonly blockedMs: number }[];
  readonly directions: readonly { readonly direction: string; readonly ofRaw: Spread }[];
  readonly counts: readonly { readonly what: string; readonly ofBare: Spread }[];
  readonly indexes: readonly { readonly without: string }[];
}

/** Checks that the benchmarks run and fill in their report, not how fast they are. */
describe('the benchmarks', { timeout: TIMEOUT_MS }, () => {
  let folder: string;
  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), 'baton-bench-'));
  });
  afterAll(() => rmSync(folder, { recursive: true, force: true }));

  const bench = (main: string, args: readonly string[]): ReturnType<typeof run> =>
    run(process.execPath, ['--import', 'tsx', `dev/bench/${main}`, ...args], { cwd: ROOT });

  it('measure a bulk reassign, compare it with other ways and draw a chart', async () => {
    const [json, svg] = [join(folder, 'bench.json'), join(folder, 'bench.svg')];
    const { stdout } = await bench('main.ts', ['--smoke', '--out', json, '--svg', svg]);
    const report = JSON.parse(readFileSync(json, 'utf8')) as Report;
    expect(report.start.programs.map(({ what }) => what)).toEqual([
      'worker ready',
      'baton --version',
      'baton campaign list',
    ]);
    for (const { ms } of report.start.programs) expect(ms.min).toBeGreaterThan(0);
    expect(report.start.cold.ofRaw.min).toBeGreaterThan(0);
    expect(report.roundTrips.map(({ trips }) => trips > 0)).toEqual([true, true]);
    expect(new Set(report.bulk.map(({ way }) => way)).size).toBe(6);
    for (const { perSecond } of report.bulk) expect(perSecond).toBeGreaterThan(0);
    expect(report.single.map(({ what }) => what)).toContain('single reassign');
    expect(new Set(report.scaleOut.map(({ workers }) => workers)).size).toBeGreaterThan(1);
    expect(readFileSync(svg, 'utf8')).toMatch(/^<svg[\s\S]*one raw updateMany[\s\S]*<\/svg>$/);
    expect(stdout).toContain('one raw updateMany');
  });

  it('measure operations beside outside writes, claims and their undo', async () => {
    const json = join(folder, 'alive.json');
    const { stdout } = await bench('main.ts', ['--smoke', '--parts', 'alive', '--out', json]);
    const { alive } = JSON.parse(readFileSync(json, 'utf8')) as Pick<Report, 'alive'>;
    const beside = new Set([...alive.writes, ...alive.claims].map((run) => run.beside));
    expect([...beside].sort()).toEqual(['nothing', 'other campaign', 'same campaign', 'same pool']);
    for (const { claims, beside } of alive.claims) expect(claims > 0).toBe(beside !== 'nothing');
    expect(alive.undos.map(({ isAlive }) => isAlive)).toEqual([false, true]);
    expect(stdout).toContain('as many as possible');
  });

  it('measure directions, numbers of texters, counts and indexes, with the spread of each figure', async () => {
    const json = join(folder, 'scale.json');
    await bench('main.ts', ['--smoke', '--parts', 'texters,directions,counts,indexes', '--out', json]);
    const report = JSON.parse(readFileSync(json, 'utf8')) as ScaleReport;
    for (const { ofRaw } of report.directions) expect(ofRaw.min).toBeGreaterThan(0);
    expect(report.directions.map(({ direction }) => direction)).toContain('undo of 25 to pool');
    expect(new Set(report.texters.map(({ texters }) => texters))).toEqual(new Set([5, 60]));
    for (const { blockedMs } of report.texters) expect(blockedMs).toBeGreaterThanOrEqual(0);
    expect(report.counts.find(({ what }) => what === 'bare grouped query')?.ofBare).toEqual({
      median: 1,
      min: 1,
      max: 1,
    });
    expect(report.indexes.map(({ without }) => without)).toContain('everyone_in_order');
  });

  it('measure many moves, many queued operations and the distance to the databases', async () => {
    const json = join(folder, 'moves.json');
    await bench('main.ts', ['--smoke', '--parts', 'moves,queue,distance', '--out', json]);
    const { manyMoves, queue, distance } = JSON.parse(readFileSync(json, 'utf8')) as MovesReport;
    expect(manyMoves.map(({ way }) => way)).toEqual(['raw guarded updates', 'single moves']);
    for (const { moves, p50Ms, p99Ms } of manyMoves) {
      expect(moves).toBe(40);
      expect(p99Ms).toBeGreaterThanOrEqual(p50Ms);
    }
    expect(queue.filter(({ perSecond = 0 }) => perSecond > 0).map(({ operations }) => operations)).toEqual([4, 8]);
    expect(queue.filter(({ p50Ms = 0 }) => p50Ms > 0)).toHaveLength(2);
    expect(distance.map(({ what }) => what)).toEqual([
      'a single move',
      'a claim alone',
      '5 claims at once',
      'dealing a pool of 200',
    ]);
    // Each of them waits for both services at least once, and each proxy delays by ten milliseconds.
    for (const { far } of distance) expect(far.min).toBeGreaterThan(20);
    for (const { inSequence } of distance.slice(0, 2)) {
      expect(inSequence?.mongodb.min).toBeGreaterThan(1);
      expect(inSequence?.redis.min).toBeGreaterThan(1);
    }
  });

  it.each([
    ['bench', '--svg <file>', '--help'],
    ['bench', 'distance', '-h'],
    ['bench:claims', '--askers <list>', '-h'],
    ['bench:fairness', '--campaigns <number>', '--help'],
    ['bench:day', '--kills <seconds>', '-h'],
  ])('print the help of %s without starting a service', async (command, text, flag) => {
    const { stdout, stderr } = await run(process.execPath, ['dev/run.mjs', command, flag], { cwd: ROOT });
    expect(stdout).toContain(text);
    expect(stdout).toContain('--help');
    expect(stderr).toBe('');
    for (const line of String(stdout).split('\n')) expect(line.length).toBeLessThanOrEqual(80);
  });

  it.each(['bench', 'bench:claims'])('%s: all its parts are in docs/scaling.md', async (command) => {
    const { stdout } = await run(process.execPath, ['dev/run.mjs', command, '--help'], { cwd: ROOT });
    const parts = [...(/Parts:\n([^]*?)\n\n/.exec(String(stdout))?.[1] ?? '').matchAll(/^ {2}(\w+) {2}/gm)];
    expect(parts.length).toBeGreaterThan(4);
    const [, table = ''] = readFileSync(`${ROOT}docs/scaling.md`, 'utf8').split(`| part of \`npm run ${command}\` `);
    const documented = [...(/[^]*?\n\n/.exec(table)?.[0] ?? '').matchAll(/^\| `(\w+)` /gm)];
    expect(documented.map(([, name]) => name)).toEqual(parts.map(([, name]) => name));
  });

  it('measure claims and compare them with other ways', async () => {
    const json = join(folder, 'claims.json');
    await bench('claims.ts', ['--smoke', '--pools', '400', '--askers', '2', '--seconds', '1', '--out', json]);
    const { rows } = JSON.parse(readFileSync(json, 'utf8')) as { rows: { way: string; requests: number }[] };
    expect(rows.map(({ way }) => way)).toEqual(['loop of findOneAndUpdate', 'find, guarded update', 'baton']);
    for (const { requests } of rows) expect(requests).toBeGreaterThan(0);
  });
});
