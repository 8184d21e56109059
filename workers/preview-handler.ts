import type { Context } from '../src/context.ts';
import { MOVES_JOB, parseMovesJob, parsePreviewJob, preview, readMoves } from '../src/operations/index.ts';
import type { Attempt, Handler, Outcome } from './executor.ts';

/** Answers what an operation would do now, and what an operation has done. It changes nothing. */
export class PreviewHandler implements Handler {
  private readonly context: Context;

  constructor(context: Context) {
    this.context = context;
  }

  async handle({ job }: Attempt): Promise<Outcome> {
    if (job.name === MOVES_JOB) {
      const { request } = parseMovesJob(job.data);
      return { kind: 'completed', result: await readMoves(this.context, request) };
    }
    const { request } = parsePreviewJob(job.data);
    return { kind: 'completed', result: await preview(this.context.stores, request) };
  }
}
