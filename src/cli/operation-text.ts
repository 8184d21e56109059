import { isRetryable } from '../domain/operation.ts';
import type { AnyOperation, ViewedOperation } from '../operations/index.ts';
import type { SentOperation } from '../reconcile/index.ts';
import type { AssigneeNames } from './assignee-names.ts';
import { blocks } from './layout.ts';
import { receiptText } from './receipt-text.ts';
import { counted, facts, moment, type Text } from './terminal.ts';

/** Writes the state of an operation: "done", "refused", or "accepted, 3 ahead" for one that waits. */
export function stateText(operation: ViewedOperation): string {
  const { state, ahead, progress } = operation;
  if (isRefused(operation)) return 'refused';
  if (ahead === 0) return `${state}, next`;
  if (ahead !== undefined) return `${state}, ${ahead} ahead`;
  return progress === undefined ? state : `${state}, ${progress.moved} of ${progress.moved + progress.left}`;
}

/** A refusal is a final answer: nothing has changed. Other failures can be retried. */
function isRefused(operation: AnyOperation): boolean {
  return operation.state === 'failed' && operation.error !== null && !isRetryable(operation);
}

type Request = AnyOperation['request'];

/** An operation and its receipt. A claim is an operation too. */
export function operationText(operation: ViewedOperation, names: AssigneeNames): Text {
  const { request, error, failures = [], receipt, cancellation } = operation;
  return blocks(
    facts([
      ['operation', operation.operationId],
      ['campaign', operation.campaignId],
      ...requestFacts(request, names),
      ['state', stateText(operation)],
      ...actorFacts(request),
      ...(cancellation?.by ? [['cancelled by', cancellation.by] as const] : []),
      ...(cancellation?.reason ? [['cancelled because', cancellation.reason] as const] : []),
      ['accepted', moment(operation.acceptedAt)],
      ['started', moment(operation.startedAt)],
      ['ended', moment(operation.endedAt)],
    ]),
    error && `It ${isRefused(operation) ? 'was refused' : 'failed'} (${error.code}): ${error.message}`,
    failures.length > 0 && failuresText(failures),
    receipt && receiptText(receipt, names),
  );
}

/** An operation that no worker has accepted. Only the queue knows it. */
export function sentText(sent: SentOperation, names: AssigneeNames): Text {
  const { request, state, lastFailure, error } = sent;
  return blocks(
    facts([
      ['operation', sent.operationId],
      ['campaign', sent.campaignId],
      ...requestFacts(request, names),
      ['state', SENT_STATES[state]],
      ...actorFacts(request),
      ['sent', moment(sent.sentAt)],
      ...(sent.attempts > 0 ? [['attempts', sent.attempts] as const] : []),
    ]),
    error && `It was refused (${error.code}): ${error.message}`,
    lastFailure && `The last attempt failed at ${moment(lastFailure.at)}: ${lastFailure.message}`,
    state === 'failed' && `To try it again: baton retry ${sent.operationId} --yes`,
    state === 'sent' && `To stop it: baton cancel ${sent.operationId}`,
  );
}

const SENT_STATES = {
  sent: 'sent; no worker has accepted it yet',
  failed: 'failed; its attempts are used up',
  refused: 'refused',
} as const satisfies Record<SentOperation['state'], string>;

function actorFacts(request: Request): (readonly [string, string])[] {
  return [
    ...('actorId' in request && request.actorId !== undefined ? [['asked by', request.actorId] as const] : []),
    ...('reason' in request && request.reason !== undefined ? [['reason', request.reason] as const] : []),
  ];
}

function requestFacts(request: Request, names: AssigneeNames): (readonly [string, string | number])[] {
  return [
    ['kind', request.kind],
    ['from', fromText(request, names)],
    ['to', toText(request, names)],
    ...('status' in request ? [['status', request.status] as const] : []),
    ...('count' in request && request.count !== undefined ? [['count', request.count] as const] : []),
  ];
}

function failuresText(failures: NonNullable<AnyOperation['failures']>): string {
  const lines = failures.map(({ at, message }) => [moment(at), message] as const);
  return `Attempts that failed:\n${facts(lines)}`;
}

export function fromText(request: Request, names: AssigneeNames): string {
  if (request.kind === 'self-assign') return 'pool';
  if (request.kind === 'undo') return request.undoes;
  if ('conversations' in request) return counted(request.conversations.length, 'chosen conversation');
  if (!('from' in request)) return `conversation ${request.conversationId}`;
  return typeof request.from === 'string' ? request.from : names.list(request.from.texterIds);
}

export function toText(request: Request, names: AssigneeNames): string {
  if (request.kind === 'self-assign') return names.of(request.texterId);
  if (request.kind === 'undo') return 'as before';
  if (!('to' in request)) return 'pool';
  if (typeof request.to === 'string') return request.to;
  if ('texterIds' in request.to) return names.list(request.to.texterIds);
  return Object.entries(request.to.counts)
    .map(([texterId, count]) => `${names.inText(texterId)} ${count}`)
    .join(', ');
}
