import type { Context } from '../src/context.ts';
import { parsePreviewJob, preview } from '../src/operations/index.ts';
import type { Attempt, Handler } from './executor.ts';
import type { Outcome } from './outcome.ts';

/** Answers what an operation would do now. */
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
    // Nothing is stored of a preview. Its sender gets the failure from the queue.
  }

  async noteFailure(): Promise<void> {
    // Nothing is stored of a preview.
  }
}
