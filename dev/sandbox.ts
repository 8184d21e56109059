import { spawn, type ChildProcess } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { readFileSync, writeFileSync } from 'node:fs';
import { withDatabase } from './services/environment-services.ts';
import { readConfig, WORKER_NODE_FLAGS, type Config } from '../src/config.ts';
import { createInterface } from 'node:readline';
import { createContext, type Context } from '../src/context.ts';
import { migrate } from '../src/mongo/migrate.ts';
import { connectProducer } from '../src/queue/connection.ts';
import type { Producer } from '../src/producer/producer-port.ts';
import { createProducer } from '../src/producer/producer.ts';

/** Written to /proc/PID/clear_refs, this resets the peak of a process's resident memory to its present value. */
const RESET_PEAK = '5';

/** A line of a worker's log. */
export type LogLine = Readonly<Record<string, unknown>> & { readonly level: number; readonly msg: string };

export interface SandboxOptions {
  /** The services. Default: those that the environment names. */
  readonly addresses?: { readonly mongodbUri: string; readonly redisUrl: string };
  /** Further variables of the workers' environment. */
  readonly workerEnv?: Readonly<Record<string, string>>;
  /** Print warnings and errors of the workers' logs. Default: true. */
  readonly printsLog?: boolean;
  /** Called for each line of the workers' logs. */
  readonly onWorkerLog?: (line: LogLine) => void;
}

/** pino's number for warnings. */
const LEVEL_WARN = 40;

/**
 * A database and queues for one demo or benchmark, on the services that the environment names, with worker processes.
 * Closing it removes everything.
 */
export class Sandbox {
  readonly context: Context;
  readonly producer: Producer;
  readonly config: Config;
  private readonly env: NodeJS.ProcessEnv;
  private readonly options: SandboxOptions;
  private workers: ChildProcess[] = [];

  private constructor(config: Config, context: Context, env: NodeJS.ProcessEnv, options: SandboxOptions) {
    this.config = config;
    this.context = context;
    this.env = env;
    this.options = options;
    this.producer = createProducer(config.queue);
  }

  static async open(purpose: string, options: SandboxOptions = {}): Promise<Sandbox> {
    const name = `baton_${purpose}_${randomBytes(4).toString('hex')}`;
    const { mongodbUri = process.env['MONGODB_URI'] ?? '', redisUrl = process.env['REDIS_URL'] } =
      options.addresses ?? {};
    const own = { MONGODB_URI: withDatabase(mongodbUri, name), REDIS_URL: redisUrl, BATON_QUEUE_PREFIX: `{${name}}` };
    const env = { ...process.env, ...own };
    const config = readConfig(env);
    const context = await createContext(config);
    await migrate(context.database);
    return new Sandbox(config, context, env, options);
  }

  /** Stops the present workers and starts `count` new ones. Resolves when they are ready. */
  async setWorkers(count: number): Promise<void> {
    await this.stopWorkers();
    this.workers = Array.from({ length: count }, () => this.startWorker());
    await Promise.all(this.workers.map((worker) => this.isReady(worker)));
  }

  /** Kills a worker, as a power failure would, and starts another in its place. Resolves when that one is ready. */
  async killWorker(index: number): Promise<void> {
    const worker = this.workers[index];
    if (!worker) throw new Error(`there is no worker ${index}; the sandbox has ${this.workers.length}`);
    worker.kill('SIGKILL');
    await once(worker, 'exit');
    const replacement = this.startWorker();
    this.workers[index] = replacement;
    await this.isReady(replacement);
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

  private startWorker(): ChildProcess {
    return spawn(process.execPath, [...WORKER_NODE_FLAGS, '--import', 'tsx', 'workers/main.ts'], {
      env: { ...this.env, BATON_LOG_LEVEL: 'info', ...this.options.workerEnv },
      stdio: ['ignore', 'ignore', 'pipe'],
    });
  }

  /** Waits for the log line of a worker that is ready. Prints only warnings and errors of its log, without refusals. */
  private async isReady(worker: ChildProcess): Promise<void> {
    const { stderr } = worker;
    if (!stderr) throw new Error('a worker has no log');
    return new Promise((resolve, reject) => {
      worker.once('exit', () => reject(new Error('a worker exited before it was ready')));
      createInterface({ input: stderr }).on('line', (text) => {
        const line = parseLine(text);
        const isPrinted = this.options.printsLog !== false && (line === undefined || isTrouble(line));
        if (isPrinted) process.stderr.write(`${text}\n`);
        if (line === undefined) return;
        if (line.msg === 'worker ready') resolve();
        this.options.onWorkerLog?.(line);
      });
    });
  }
}

/** The warning about a refusal has the code of the refusal. The caller receives the same code. */
function isTrouble({ level, code }: LogLine): boolean {
  return level > LEVEL_WARN || (level === LEVEL_WARN && code === undefined);
}

/** Returns `undefined` for a line that is not a line of the log, such as the stack of a crash. */
function parseLine(text: string): LogLine | undefined {
  try {
    return JSON.parse(text) as LogLine;
  } catch {
    return undefined;
  }
}
