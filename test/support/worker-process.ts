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
  /** The program to run. Default: the worker. */
  readonly main?: string;
  /** A module that is loaded before the program. */
  readonly preload?: string;
}

/** A real worker process for a harness. */
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
      stdio: ['ignore', 'pipe', 'pipe'],
      env: {
        PATH: process.env['PATH'],
        MONGODB_URI: mongo.uri,
        REDIS_URL: queue.redisUrl,
        BATON_QUEUE_PREFIX: queue.prefix,
        ...env,
      },
    });
    for (const stream of [this.child.stdout, this.child.stderr]) {
      stream?.on('data', (piece: Buffer) => (this.log += piece.toString()));
    }
    this.exit = once(this.child, 'exit').then(([code, signal]) => {
      this.ended = { code: code as number | null, signal: signal as NodeJS.Signals | null };
      return this.ended;
    });
  }

  /** Resolves when the worker is ready for jobs. */
  static async start(harness: Harness, env: NodeJS.ProcessEnv, program: Program = {}): Promise<WorkerProcess> {
    const worker = new WorkerProcess(harness, env, program);
    await worker.logged('worker ready');
    return worker;
  }

  /** Returns at once, for a worker that may end before it is ready. */
  static begin(harness: Harness, env: NodeJS.ProcessEnv, program: Program): WorkerProcess {
    return new WorkerProcess(harness, env, program);
  }

  /** Kills the process, as a power failure would: no signal handler runs and no job is returned. */
  async kill(): Promise<void> {
    this.child.kill('SIGKILL');
    await this.exit;
  }

  signal(signal: NodeJS.Signals): void {
    this.child.kill(signal);
  }

  /** Stops the process, as a machine without memory would. Its connections stay open. */
  freeze(): void {
    this.child.kill('SIGSTOP');
  }

  thaw(): void {
    this.child.kill('SIGCONT');
  }

  /** Sends SIGTERM, as a deployment does. Resolves when the process has begun to stop. */
  async tellToStop(): Promise<void> {
    this.child.kill('SIGTERM');
    await this.logged('worker stopping');
  }

  async exitCode(): Promise<number | null> {
    return (await this.exit).code;
  }

  /** Ends the reader of the log, as a log shipper that crashes. */
  closeLog(): void {
    this.child.stdout?.destroy();
    this.child.stderr?.destroy();
  }

  get logText(): string {
    return this.log;
  }

  get hasEnded(): boolean {
    return this.ended !== undefined;
  }

  /** Returns the log and the exit of the process after it has ended. */
  async gone(): Promise<Ended & { readonly log: string }> {
    return { ...(await this.exit), log: this.log };
  }

  private async logged(line: string): Promise<void> {
    await until(`a worker process to log "${line}"`, () => {
      if (this.log.includes(line)) return true;
      if (this.ended) throw new Error(`the worker process ended before it logged "${line}": ${this.log}`);
      return false;
    });
  }
}
