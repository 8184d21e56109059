import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { Queue, QueueEvents } from 'bullmq';
import type { Sandbox } from '../sandbox.ts';

/** A queue whose jobs do nothing, with its own worker process. It measures the least that any queued request costs. */
export class NoOpQueue {
  private readonly queue: Queue;
  private readonly events: QueueEvents;
  private readonly worker: ChildProcess;

  private constructor(queue: Queue, events: QueueEvents, worker: ChildProcess) {
    this.queue = queue;
    this.events = events;
    this.worker = worker;
  }

  static async start(sandbox: Sandbox): Promise<NoOpQueue> {
    const name = sandbox.newId('no-op');
    const connection = { url: sandbox.redisUrl, maxRetriesPerRequest: null };
    const events = new QueueEvents(name, { connection });
    await events.waitUntilReady();
    const main = new URL('no-op-worker-main.ts', import.meta.url).pathname;
    const worker = spawn(process.execPath, ['--import', 'tsx', main, name], {
      env: { ...process.env, REDIS_URL: sandbox.redisUrl },
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    await once(worker.stdout, 'data');
    return new NoOpQueue(new Queue(name, { connection }), events, worker);
  }

  /** Adds a job and waits for its result. */
  async runJob(): Promise<void> {
    const job = await this.queue.add('no-op', {}, { removeOnComplete: { count: 1_000 } });
    await job.waitUntilFinished(this.events);
  }

  async stop(): Promise<void> {
    this.worker.kill('SIGKILL');
    await once(this.worker, 'exit');
    await this.events.close();
    await this.queue.obliterate({ force: true });
    await this.queue.close();
  }
}
