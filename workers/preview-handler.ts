import { preview } from '../src/operations/index.ts';
import type { Context } from '../src/context.ts';
import { parsePreviewJob } from '../src/operations/index.ts';
import type { Attempt, Handler } from './executor.ts';
import type { Outcome } from './outcome.ts';

/** Answers what an operation would do. */
export class PreviewHandler implements Handler {
  private readonly context: Context;

  constructor(context: Context) {
    this.context = context;
  }

  async handle({ job }: Attempt): Promise<Outcome> {
    const { request } = parsePreviewJob(job.data);
    return { kind: 'completed', answer: await preview(this.context.stores, request) };
  }

  async recordFailure(): Promise<void> {
    // A preview is nobody's record: its asker hears of the failure from the queue.
  }

  async noteFailure(): Promise<void> {
    // Nor is an attempt at it.
  }
}
