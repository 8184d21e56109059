import { setTimeout as sleep } from 'node:timers/promises';
import type { Harness } from '../support/harness.ts';
import { WorkerProcess } from '../support/worker-process.ts';

/** A worker that cannot reach its services when it starts ends, and is started again, as a supervisor does. */
const STARTS_MAX = 20;
const START_AGAIN_MS = 250;

/** Worker processes and whoever starts them again. */
export class Crew {
  /** What workers that were told to stop ended with. */
  readonly exitCodes: (number | null)[] = [];
  private readonly harness: Harness;
  private readonly env: Record<string, string>;
  private readonly workers: WorkerProcess[] = [];

  constructor(harness: Harness, env: Record<string, string>) {
    this.harness = harness;
    this.env = env;
  }

  get size(): number {
    return this.workers.length;
  }

  async muster(count: number): Promise<void> {
    this.workers.push(...(await Promise.all(Array.from({ length: count }, () => this.start()))));
  }

  /** The power cord. */
  async kill(at: number): Promise<void> {
    await this.workers[at]?.kill();
    this.workers[at] = await this.start();
  }

  /** As a deploy does it. */
  async replace(at: number): Promise<void> {
    await this.workers[at]?.tellToStop();
    this.exitCodes.push((await this.workers[at]?.exitCode()) ?? null);
    this.workers[at] = await this.start();
  }

  /** Stands still, past its jobs' locks when `delayMs` is longer than those, and then goes on as if nothing had happened. */
  async freeze(at: number, delayMs: number): Promise<void> {
    this.workers[at]?.freeze();
    await sleep(delayMs);
    this.workers[at]?.thaw();
  }

  async end(): Promise<void> {
    await Promise.all(this.workers.map((worker) => worker.kill()));
  }

  private async start(): Promise<WorkerProcess> {
    for (let starts = 1; ; starts += 1) {
      try {
        return await WorkerProcess.start(this.harness, this.env);
      } catch (error) {
        if (starts === STARTS_MAX) throw error;
        await sleep(START_AGAIN_MS);
      }
    }
  }
}
