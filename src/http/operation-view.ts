import type { ClaimRequest } from '../claims/index.ts';
import { toOutsideId, toOutsideText, organisationOf } from '../domain/id-rules.ts';
import type { StoredError } from '../domain/stored-error.ts';
import type { OperationRequest, ViewedOperation } from '../operations/index.ts';
import type { SentOperation } from '../reconcile/index.ts';
import type { OperationBody } from './operation-shapes.ts';

/** Shows an operation or claim to the organisation that it belongs to. Fields that only workers need are left out. */
export function operationView(operation: ViewedOperation | SentOperation): OperationBody {
  const { operationId, campaignId, request } = operation;
  const common = {
    operationId: toOutsideId(operationId),
    campaignId: toOutsideId(campaignId),
    kind: request.kind,
    request: requestView(request),
    error: errorView(operation.error, organisationOf(operationId)),
  };
  if (!('acceptedAt' in operation)) return { ...common, ...UNACCEPTED, state: stateOf(operation) };
  const { state, ahead, acceptedAt, startedAt, endedAt, cancellation, granted } = operation;
  return {
    ...common,
    ...{ state, acceptedAt, startedAt, endedAt },
    receipt: operation.receipt as OperationBody['receipt'],
    cancelledBy: cancellation?.by ?? null,
    ...(ahead !== undefined && { ahead }),
    ...(granted && { conversationIds: [...granted] }),
  };
}

/** Shows an operation that has just been sent. */
export function sentView(request: OperationRequest | ClaimRequest): OperationBody {
  const { operationId, campaignId } = request;
  const fields = { sentAt: new Date(), attempts: 0, lastFailure: null, error: null };
  return operationView({ operationId, campaignId, request, state: 'sent', ...fields });
}

const UNACCEPTED = { acceptedAt: null, startedAt: null, endedAt: null, receipt: null, cancelledBy: null };

function stateOf({ state }: SentOperation): OperationBody['state'] {
  return state === 'sent' ? 'sent' : 'failed';
}

function requestView(request: OperationRequest | ClaimRequest): Record<string, unknown> {
  const { operationId, campaignId, ...shown } = request;
  return 'undoes' in shown ? { ...shown, undoes: toOutsideId(shown.undoes) } : shown;
}

function errorView(error: StoredError | null, organisationId: string): StoredError | null {
  if (error === null) return null;
  const outside = (text: string | null): string | null => text && toOutsideText(organisationId, text);
  return {
    code: error.code,
    message: toOutsideText(organisationId, error.message),
    expected: outside(error.expected),
    received: outside(error.received),
  };
}
