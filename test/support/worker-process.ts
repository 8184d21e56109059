import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import type { Harness } from './harness.ts';
import { until } from './until.ts';

const ROOT = new URL('../..', import.meta.url).pathname;

interface Ended {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
}

export interface Program {
  /** Instead of the worker's own. */
  readonly main?: string;
  /** Loaded before it. */
  readonly preload?: string;
}

/** A worker process as it is started in earnest, working for a harness. */
export class WorkerProcess {
  private readonly child: ChildProcess;
  private readonly exit: Promise<Ended>;
  private ended: Ended | undefined;
  private log = '';

  private constructor(harness: Harness, env: NodeJS.ProcessEnv, { main = 'workers/main.ts', preload }: Program) {
    const { mongo, queue } = harness.config;
    const preloads = ['tsx', ...(preload === undefined ? [] : [preload])].flatMap((name) => ['--import', name]);
    this.child = spawn(process.execPath, [...preloads, main], {
      cwd: ROOT,
      stdio: ['ignore', 'ignore', 'pipe'],
      env: {
        PATH: process.env['PATH'],
        MONGODB_URI: mongo.uri,
        REDIS_URL: queue.redisUrl,
        BATON_QUEUE_PREFIX: queue.prefix,
        ...env,
      },
    });
    this.child.stderr?.on('data', (piece: Buffer) => (this.log += piece.toString()));
    this.exit = once(this.child, 'exit').then(([code, signal]) => {
      this.ended = { code: code as number | null, signal: signal as NodeJS.Signals | null };
      return this.ended;
    });
  }

  /** Resolves when it takes jobs. */
  static async start(harness: Harness, env: NodeJS.ProcessEnv, program: Program = {}): Promise<WorkerProcess> {
    const worker = new WorkerProcess(harness, env, program);
    await worker.logged('worker ready');
    return worker;
  }

  /** Returns at once: it may end before it takes any job. */
  static begin(harness: Harness, env: NodeJS.ProcessEnv, program: Program): WorkerProcess {
    return new WorkerProcess(harness, env, program);
  }

  /** The power cord: no signal handler runs, nothing is given back. */
  async kill(): Promise<void> {
    this.child.kill('SIGKILL');
    await this.exit;
  }

  /** It stands still, as on a machine that has run out of memory; its connections stay open. */
  freeze(): void {
    this.child.kill('SIGSTOP');
  }

  thaw(): void {
    this.child.kill('SIGCONT');
  }

  /** As a deploy does it; resolves when the process has taken note. */
  async tellToStop(): Promise<void> {
    this.child.kill('SIGTERM');
    await this.logged('worker stopping');
  }

  async exitCode(): Promise<number | null> {
    return (await this.exit).code;
  }

  get hasEnded(): boolean {
    return this.ended !== undefined;
  }

  /** What it logged and how it ended, once it has. */
  async gone(): Promise<Ended & { readonly log: string }> {
    return { ...(await this.exit), log: this.log };
  }

  private async logged(line: string): Promise<void> {
    await until(`a worker process to say "${line}"`, () => {
      if (this.log.includes(line)) return true;
      if (this.ended) throw new Error(`expected a worker process to say "${line}", it ended: ${this.log}`);
      return false;
    });
  }
}
