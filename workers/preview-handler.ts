import type { Context } from '../src/context.ts';
import { SharedMoments } from '../src/conversations/index.ts';
import { MOVES_JOB, parseMovesJob, parsePreviewJob, preview, readMoves } from '../src/operations/index.ts';
import type { Attempt, Handler, Outcome } from './executor.ts';

/** Answers what an operation would do now, and what an operation has done. It changes nothing. */
export class PreviewHandler implements Handler {
  private readonly context: Context;
  private readonly moments: SharedMoments;

  /** Previews of a campaign that begin within `countsSharedForMs` see the same moment. */
  constructor(context: Context, countsSharedForMs: number) {
    this.context = context;
    this.moments = new SharedMoments(context.stores.conversations, countsSharedForMs);
  }

  async handle({ job }: Attempt): Promise<Outcome> {
    if (job.name === MOVES_JOB) {
      const { request } = parseMovesJob(job.data);
      return { kind: 'completed', result: await readMoves(this.context, request) };
    }
    const { request } = parsePreviewJob(job.data);
    const { stores } = this.context;
    const result = await this.moments.read(request.campaignId, (moment) =>
      preview({ ...stores, conversations: moment }, request),
    );
    return { kind: 'completed', result };
  }
}
