import { setTimeout as sleep } from 'node:timers/promises';
import type { Harness } from '../support/harness.ts';
import { WorkerProcess } from '../support/worker-process.ts';

/** A worker that cannot reach its services at the start exits, and is started again. */
const STARTS_MAX = 20;
const RESTART_AFTER_MS = 250;

/** Worker processes, and the supervisor that replaces each one that ends. */
export class WorkerGroup {
  /** The exit codes of the workers that were stopped with SIGTERM. */
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

  async start(count: number): Promise<void> {
    this.workers.push(...(await Promise.all(Array.from({ length: count }, () => this.startOne()))));
  }

  /** Kills a worker, as a power failure would, and starts another one. */
  async kill(at: number): Promise<void> {
    await this.workers[at]?.kill();
    this.workers[at] = await this.startOne();
  }

  /** Stops a worker with SIGTERM, as a deployment does, and starts another one. */
  async replace(at: number): Promise<void> {
    await this.workers[at]?.tellToStop();
    this.exitCodes.push((await this.workers[at]?.exitCode()) ?? null);
    this.workers[at] = await this.startOne();
  }

  /** Suspends a worker for a while. If that is longer than the locks of its jobs, other workers run these jobs too. */
  async freeze(at: number, frozenMs: number): Promise<void> {
    this.workers[at]?.freeze();
    await sleep(frozenMs);
    this.workers[at]?.thaw();
  }

  async killAll(): Promise<void> {
    await Promise.all(this.workers.map((worker) => worker.kill()));
  }

  private async startOne(): Promise<WorkerProcess> {
    for (let starts = 1; ; starts += 1) {
      try {
        return await WorkerProcess.start(this.harness, this.env);
      } catch (error) {
        if (starts === STARTS_MAX) throw error;
        await sleep(RESTART_AFTER_MS);
      }
    }
  }
}
