import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { table } from '../../src/cli/terminal.ts';
import { bundleRunnable } from '../build/bundles.ts';
import type { BenchSandbox } from './bench-sandbox.ts';
import { oneUpdateMany, throughBaton } from './bulk-ways.ts';
import { drawSpread, ratioOf, spreadOf, timed, type Spread } from './spread.ts';

const ROOT = new URL('../../', import.meta.url).pathname;
const TEXTERS = 10;

export interface StartOptions {
  readonly rounds: number;
  /** The conversations that a process deals that has just started. */
  readonly conversations: number;
}

export interface Start {
  /** Milliseconds until a process that was built has done this, in each round. */
  readonly programs: readonly { readonly what: string; readonly ms: Spread }[];
  /** Conversations per second of the first deal of a process, and of one raw updateMany in the same round. */
  readonly cold: { readonly conversations: number; readonly perSecond: Spread; readonly ofRaw: Spread };
}

/** Measures what programs of the built package take to start, and how fast a process works that has just started. */
export async function benchStart(bench: BenchSandbox, options: StartOptions): Promise<Start> {
  await bench.sandbox.setWorkers(0);
  return { programs: await startPrograms(bench, options.rounds), cold: await dealCold(bench, options) };
}

async function startPrograms(bench: BenchSandbox, rounds: number): Promise<Start['programs']> {
  const folder = mkdtempSync(join(tmpdir(), 'baton-bench-built-'));
  try {
    await bundleRunnable(ROOT, folder);
    const run = (main: string, ...args: string[]) => new Program(bench, join(folder, main), args);
    const starts = {
      'worker ready': () => run('workers/main.js').untilReady(),
      'baton --version': () => run('src/cli/main.js', '--version').untilEnded(),
      'baton campaign list': () => run('src/cli/main.js', 'campaign', 'list', '--json').untilEnded(),
    };
    const times = Object.entries(starts).map(([what, start]) => ({ what, start, ms: [] as number[] }));
    for (let round = 0; round < rounds; round += 1) {
      for (const { start, ms } of times) ms.push(await start());
      process.stderr.write('.');
    }
    return times.map(({ what, ms }) => ({ what, ms: spreadOf(ms) }));
  } finally {
    rmSync(folder, { recursive: true });
  }
}

/** One process of the built package, on the services of a sandbox. */
class Program {
  private readonly command: readonly string[];
  private readonly env: NodeJS.ProcessEnv;

  constructor({ sandbox }: BenchSandbox, main: string, args: readonly string[]) {
    const { mongo, queue } = sandbox.config;
    this.command = [main, ...args];
    const own = { MONGODB_URI: mongo.uri, REDIS_URL: queue.redisUrl, BATON_QUEUE_PREFIX: queue.prefix };
    this.env = { ...process.env, ...own, BATON_LOG_LEVEL: 'info' };
  }

  untilEnded(): Promise<number> {
    return timed(async () => {
      const child = spawn(process.execPath, this.command, { env: this.env, stdio: ['ignore', 'ignore', 'inherit'] });
      const [status] = (await once(child, 'exit')) as [number | null];
      if (status !== 0) throw new Error(`${this.command.slice(1).join(' ')} ended with status ${status}`);
    });
  }

  /** Ends the process when it has logged that it is ready. */
  async untilReady(): Promise<number> {
    const startedAt = performance.now();
    const child = spawn(process.execPath, this.command, { env: this.env, stdio: ['ignore', 'ignore', 'pipe'] });
    const ended = once(child, 'exit');
    let ms: number | undefined;
    for await (const line of createInterface({ input: child.stderr })) {
      if (!line.includes('"msg":"worker ready"')) continue;
      ms = performance.now() - startedAt;
      child.kill('SIGTERM');
    }
    await ended;
    if (ms === undefined) throw new Error('a worker ended before it was ready');
    return ms;
  }
}

/** The pool of each round is new for a raw update, and then for the first operation of a new worker process. */
async function dealCold(bench: BenchSandbox, { conversations, rounds }: StartOptions): Promise<Start['cold']> {
  const campaignId = await bench.seedCampaign(TEXTERS, conversations);
  const texterIds = ['t0'];
  const rateOf = async (deal: () => Promise<number>): Promise<number> => {
    const ms = await timed(deal);
    await bench.refillPools([campaignId]);
    return conversations / (ms / 1_000);
  };
  const [raw, baton]: [number[], number[]] = [[], []];
  const dealing = { campaignId, texterIds, conversationsMax: conversations };
  // The first update of a document is faster than the later ones.
  await rateOf(() => oneUpdateMany(bench.sandbox, dealing));
  for (let round = 0; round < rounds; round += 1) {
    await bench.sandbox.setWorkers(0);
    raw.push(await rateOf(() => oneUpdateMany(bench.sandbox, dealing)));
    await bench.sandbox.setWorkers(1);
    baton.push(await rateOf(() => throughBaton(bench.sandbox, { campaignId })));
    process.stderr.write('.');
  }
  await bench.deleteConversations(campaignId);
  return { conversations, perSecond: spreadOf(baton), ofRaw: ratioOf(baton, raw) };
}

export function drawStart({ programs, cold }: Start): string {
  const started = table(
    ['built program', 'ms'],
    programs.map(({ what, ms }) => [what, drawSpread(ms, 0)]),
  );
  const row = [cold.conversations, drawSpread(cold.perSecond, 0), drawSpread(cold.ofRaw)];
  return `${started}\n\n${table(['first deal of a new process', 'per second', 'of raw'], [row])}`;
}
