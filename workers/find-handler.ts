import type { Context } from '../src/context.ts';
import { unknownOperation } from '../src/domain/errors.ts';
import { parseFindJob, type FoundOperation, type AnyOperation } from '../src/operations/index.ts';
import type { Attempt, Handler, Outcome } from './executor.ts';

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
