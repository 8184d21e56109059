import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { Queue, QueueEvents } from 'bullmq';
import type { Place } from '../place.ts';

/** A job that does nothing, done by a worker process that does nothing else: what every queued request must cost. */
export class Noop {
  private readonly queue: Queue;
  private readonly events: QueueEvents;
  private readonly worker: ChildProcess;

  private constructor(queue: Queue, events: QueueEvents, worker: ChildProcess) {
    this.queue = queue;
    this.events = events;
    this.worker = worker;
  }

  static async start(place: Place): Promise<Noop> {
    const name = place.newId('noop');
    const connection = { url: place.redisUrl, maxRetriesPerRequest: null };
    const events = new QueueEvents(name, { connection });
    await events.waitUntilReady();
    const main = new URL('noop-worker-main.ts', import.meta.url).pathname;
    const worker = spawn(process.execPath, ['--import', 'tsx', main, name], {
      env: { ...process.env, REDIS_URL: place.redisUrl },
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    await once(worker.stdout, 'data');
    return new Noop(new Queue(name, { connection }), events, worker);
  }

  /** From enqueue to answer. */
  async run(): Promise<void> {
    const job = await this.queue.add('noop', {}, { removeOnComplete: { count: 1_000 } });
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
