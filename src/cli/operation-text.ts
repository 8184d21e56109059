import type { AnyOperation } from '../operations/index.ts';
import type { AssigneeNames } from './assignees.ts';
import { blocks, facts, moment } from './output.ts';
import { receiptText } from './receipt.ts';

type Request = AnyOperation['request'];

/** An operation or a claim, and its receipt, in words. */
export function entryText(entry: AnyOperation, names: AssigneeNames): string {
  const { request, error, failures = [], receipt, cancellation } = entry;
  return blocks(
    facts([
      ['operation', entry.operationId],
      ['campaign', entry.campaignId],
      ['what', request.kind],
      ['from', fromOf(request, names)],
      ['to', toOf(request, names)],
      ...('status' in request ? [['status', request.status] as const] : []),
      ...('count' in request && request.count !== undefined ? [['count', request.count] as const] : []),
      ['state', entry.state],
      ...('actorId' in request && request.actorId !== undefined ? [['asked by', request.actorId] as const] : []),
      ...('reason' in request && request.reason !== undefined ? [['reason', request.reason] as const] : []),
      ...(cancellation?.by ? [['cancelled by', cancellation.by] as const] : []),
      ...(cancellation?.reason ? [['cancelled because', cancellation.reason] as const] : []),
      ['accepted', moment(entry.acceptedAt)],
      ['started', moment(entry.startedAt)],
      ['ended', moment(entry.endedAt)],
    ]),
    error && `It failed: ${error.code}: ${error.message}`,
    failures.length > 0 && failuresText(failures),
    receipt && receiptText(receipt, names),
  );
}

/** Attempts that failed, newest last. */
function failuresText(failures: NonNullable<AnyOperation['failures']>): string {
  const lines = failures.map(({ at, message }) => [moment(at), message] as const);
  return `Attempts that failed:\n${facts(lines)}`;
}

export function fromOf(request: Request, names: AssigneeNames): string {
  if (request.kind === 'self-assign') return 'pool';
  if (request.kind === 'undo') return `what ${request.undoes} moved`;
  if (!('from' in request)) return `conversation ${request.conversationId}`;
  return typeof request.from === 'string' ? request.from : listed(request.from.texterIds, names);
}

export function toOf(request: Request, names: AssigneeNames): string {
  if (request.kind === 'self-assign') return names.of(request.texterId);
  if (request.kind === 'undo') return 'where each was';
  if (!('to' in request)) return 'pool';
  return typeof request.to === 'string' ? request.to : listed(request.to.texterIds, names);
}

function listed(texterIds: readonly string[], names: AssigneeNames): string {
  return texterIds.map((id) => names.of(id)).join(', ');
}
