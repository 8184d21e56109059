import { spawn, type ChildProcess } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { readFileSync, writeFileSync } from 'node:fs';
import { readConfig, WORKER_NODE_FLAGS, type Config } from '../src/config.ts';
import { createContext, type Context } from '../src/context.ts';
import { migrate } from '../src/mongo/migrate.ts';
import { connectProducer } from '../src/queue/connection.ts';
import type { Producer } from '../src/producer/producer-port.ts';
import { createProducer } from '../src/producer/producer.ts';

/** Written to /proc/PID/clear_refs, this resets the peak of a process's resident memory to its present value. */
const RESET_PEAK = '5';

/**
 * A database and queues for one demo or benchmark, on the services that the environment names, with worker processes.
 * Closing it removes everything.
 */
export class Sandbox {
  readonly context: Context;
  readonly producer: Producer;
  readonly config: Config;
  private readonly env: NodeJS.ProcessEnv;
  private workers: ChildProcess[] = [];

  private constructor(config: Config, context: Context, env: NodeJS.ProcessEnv) {
    this.config = config;
    this.context = context;
    this.env = env;
    this.producer = createProducer(config.queue);
  }

  static async open(purpose: string): Promise<Sandbox> {
    const name = `baton_${purpose}_${randomBytes(4).toString('hex')}`;
    const uri = new URL(process.env['MONGODB_URI'] ?? '');
    uri.pathname = `/${name}`;
    const env = { ...process.env, MONGODB_URI: uri.toString(), BATON_QUEUE_PREFIX: `{${name}}` };
    const config = readConfig(env);
    const context = await createContext(config);
    await migrate(context.database);
    return new Sandbox(config, context, env);
  }

  /** Stops the present workers and starts `count` new ones. Resolves when they are ready. */
  async setWorkers(count: number): Promise<void> {
    await this.stopWorkers();
    this.workers = Array.from({ length: count }, () => startWorker(this.env));
    await Promise.all(this.workers.map(isReady));
  }

  get redisUrl(): string {
    return this.config.queue.redisUrl;
  }

  /** Makes {@link workerPeakMiB} start anew. */
  resetWorkerPeaks(): void {
    for (const { pid } of this.workers) writeFileSync(`/proc/${pid}/clear_refs`, RESET_PEAK);
  }

  /** Returns the largest resident memory of any worker since the reset. Works on Linux only. */
  workerPeakMiB(): number {
    const peaksKiB = this.workers.map(({ pid }) =>
      /^VmHWM:\s*(\d+)/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8')),
    );
    return Math.max(...peaksKiB.map((match) => Number(match?.[1]))) / 1024;
  }

  newId(prefix: string): string {
    return `${prefix}_${randomBytes(8).toString('hex')}`;
  }

  async close(): Promise<void> {
    await this.stopWorkers();
    await this.producer.close();
    await this.context.database.command({ dropDatabase: 1 });
    await this.context.close();
    await this.deleteQueues();
  }

  private async stopWorkers(): Promise<void> {
    const running = this.workers.filter((worker) => worker.exitCode === null && worker.signalCode === null);
    this.workers = [];
    await Promise.all(running.map((worker) => (worker.kill('SIGTERM'), once(worker, 'exit'))));
  }

  private async deleteQueues(): Promise<void> {
    const redis = connectProducer(this.config.queue.redisUrl, () => undefined);
    if (redis.status !== 'ready') await once(redis, 'ready');
    const keys = await redis.keys(`${this.config.queue.prefix}*`);
    if (keys.length > 0) await redis.del(...keys);
    redis.disconnect();
  }
}

function startWorker(env: NodeJS.ProcessEnv): ChildProcess {
  return spawn(process.execPath, [...WORKER_NODE_FLAGS, '--import', 'tsx', 'workers/main.ts'], {
    env: { ...env, BATON_LOG_LEVEL: 'info' },
    stdio: ['ignore', 'ignore', 'pipe'],
  });
}

/** Waits for the log line of a worker that is ready. Prints only warnings and errors of its log. */
async function isReady(worker: ChildProcess): Promise<void> {
  return new Promise((resolve, reject) => {
    worker.once('exit', () => reject(new Error('a worker exited before it was ready')));
    worker.stderr?.on('data', (piece: Buffer) => {
      const lines = piece.toString();
      if (lines.includes('worker ready')) resolve();
      if (/"level":[456]0/.test(lines)) process.stderr.write(lines);
    });
  });
}
