import { z } from 'zod';
import type { LiveContext } from '../src/context.ts';
import {
  cancelQueued,
  findQueued,
  parseCancelQueuedJob,
  type CancelledQueue,
  type CancelQueuedAnswer,
  type OperationQueue,
} from '../src/operations/index.ts';
import type { Attempt, Handler, Outcome } from './executor.ts';
import { LiveChanges } from './live-changes.ts';

const progressOfJob = z.object({ queue: z.object({ first: z.int(), last: z.int(), at: z.coerce.date() }) });

/** Cancels the operations of a campaign that wait. */
export class CancelQueuedHandler implements Handler {
  private readonly context: LiveContext;
  private readonly operations: OperationQueue;

  constructor(context: LiveContext, operations: OperationQueue) {
    this.context = context;
    this.operations = operations;
  }

  async handle({ job, log }: Attempt): Promise<Outcome> {
    const { request } = parseCancelQueuedJob(job.data);
    const { campaignId } = request;
    const queue = queueOf(job.progress) ?? (await findQueued(this.context, request));
    // Stored with the job: a worker that continues after a crash covers the same operations.
    if (queue) await job.updateProgress({ queue });
    const cancelled = queue ? await this.cancelAll(request, queue) : 0;
    log.info({ campaignId, cancelled }, 'waiting operations cancelled');
    const result: CancelQueuedAnswer = { campaignId, cancelled };
    return { kind: 'completed', result };
  }

  /** Wakes the job of each cancelled operation, so that its sender gets the answer. */
  private async cancelAll(request: Parameters<typeof cancelQueued>[1], queue: CancelledQueue): Promise<number> {
    const live = new LiveChanges(this.context.live);
    let count = 0;
    for await (const cancelled of cancelQueued(this.context, request, queue)) {
      for (const operation of cancelled) live.operation(operation);
      await Promise.all(cancelled.map((operation) => this.operations.wake(operation)));
      count += cancelled.length;
    }
    return count;
  }
}

function queueOf(progress: unknown): CancelledQueue | undefined {
  return progressOfJob.safeParse(progress).data?.queue;
}
