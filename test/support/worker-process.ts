import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import type { Harness } from './harness.ts';
import { until } from './until.ts';

const ROOT = new URL('../../', import.meta.url).pathname;

interface Ended {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
}

/** A worker process as it is started in earnest, working for a harness. */
export class WorkerProcess {
  private readonly child: ChildProcess;
  private readonly exit: Promise<Ended>;
  private ended: Ended | undefined;
  private log = '';

  private constructor(harness: Harness, env: NodeJS.ProcessEnv) {
    const { mongo, queue } = harness.config;
    this.child = spawn(process.execPath, ['--import', 'tsx', 'workers/main.ts'], {
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
  static async start(harness: Harness, env: NodeJS.ProcessEnv): Promise<WorkerProcess> {
    const worker = new WorkerProcess(harness, env);
    await worker.logged('worker ready');
    return worker;
  }

  /** The power cord: no signal handler runs, nothing is given back. */
  async kill(): Promise<void> {
    this.child.kill('SIGKILL');
    await this.exit;
  }

  /** As a deploy does it; resolves when the process has taken note. */
  async tellToStop(): Promise<void> {
    this.child.kill('SIGTERM');
    await this.logged('worker stopping');
  }

  async exitCode(): Promise<number | null> {
    return (await this.exit).code;
  }

  private async logged(line: string): Promise<void> {
    await until(`a worker process to say "${line}"`, () => {
      if (this.log.includes(line)) return true;
      if (this.ended) throw new Error(`expected a worker process to say "${line}", it ended: ${this.log}`);
      return false;
    });
  }
}
