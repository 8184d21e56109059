import type { Context } from '../src/context.ts';
import { unknownOperation } from '../src/domain/errors.ts';
import {
  parseFindJob,
  type FoundOperation,
  type AnyOperation,
  MOVES_JOB,
  parseMovesJob,
  parsePreviewJob,
  preview,
  readMoves,
} from '../src/operations/index.ts';
import type { Attempt, Handler, Outcome } from './executor.ts';
import { SharedMoments } from '../src/conversations/index.ts';

/** Answers what the database has of an operation or claim. */
export class FindHandler implements Handler {
  private readonly context: Context;

  constructor(context: Context) {
    this.context = context;
  }

  async handle({ job }: Attempt): Promise<Outcome> {
    const { operationId } = parseFindJob(job.data);
    const found = await this.context.operationViews.findOperation(operationId);
    if (!found) throw unknownOperation(operationId);
    return { kind: 'completed', result: toFound(found) };
  }
}

function toFound(operation: AnyOperation): FoundOperation {
  const { operationId, campaignId, request, createdBySendId, state, receipt, error, granted } = operation;
  const { acceptedAt, startedAt, endedAt } = operation;
  return {
    ...{ operationId, campaignId, kind: request.kind, createdBySendId, state, receipt, error },
    ...(granted && { conversationIds: granted }),
    ...(request.traceparent !== undefined && { traceparent: request.traceparent }),
    acceptedAt: acceptedAt.toISOString(),
    startedAt: startedAt?.toISOString() ?? null,
    endedAt: endedAt?.toISOString() ?? null,
  };
}

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
