import type { Context } from '../src/context.ts';
import { parsePreviewJob, preview } from '../src/operations/index.ts';
import type { Attempt, Handler, Outcome } from './executor.ts';

/** Answers what an operation would do now. */
export class PreviewHandler implements Handler {
  private readonly context: Context;

  constructor(context: Context) {
    this.context = context;
  }

  async handle({ job }: Attempt): Promise<Outcome> {
    const { request } = parsePreviewJob(job.data);
    return { kind: 'completed', result: await preview(this.context.stores, request) };
  }
}
