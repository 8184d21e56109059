import { STATUSES, type Assignee } from '../domain/conversation.ts';
import { isRetryable } from '../domain/operation.ts';
import type { Receipt } from '../domain/receipt.ts';
import type { AnyOperation, Preview, ViewedOperation } from '../operations/index.ts';
import type { AssigneeNames } from './lookup.ts';
import { blocks, counted, facts, moment, table } from './terminal.ts';

/** Why fewer conversations moved than were asked for. */
export const SHORT_BECAUSE = {
  'none-left': 'no more conversations match',
  'batch-max': 'the campaign allows no more in one claim',
  'being-reassigned': 'a running operation has planned all others; ask again when it has ended',
  'open-max': 'that is the most not-started conversations for one texter',
  stopped: 'it was stopped',
  'campaign-closed': 'the campaign was closed',
  'self-assign-off': 'the campaign no longer allows self-assign',
  'texter-inactive': 'a texter was paused',
  'unknown-texter': 'the texter is no longer on the campaign',
  unassigned: 'everything was unassigned from the texter',
} as const satisfies Record<NonNullable<Receipt['shortBecause']>, string>;

export function receiptText(receipt: Receipt, names: AssigneeNames): string {
  const byStatus = [...receipt.byStatus].sort((a, b) => STATUSES.indexOf(a.status) - STATUSES.indexOf(b.status));
  const { moved, selected, asked, shortBecause, left, claimsEnded = 0, pausedTargets = [], overLimit } = receipt;
  const wanted = asked === null ? '' : `, of ${asked} asked for`;
  const short = shortBecause === null ? '' : `${wanted}: ${SHORT_BECAUSE[shortBecause]}`;
  return blocks(
    `Moved ${moved} of ${counted(selected, 'conversation')} selected${short}.`,
    left !== null && left > 0 && leftText(left, shortBecause),
    workedOnText(receipt.skipped),
    claimsEnded > 0 && `${counted(claimsEnded, 'waiting claim')} of these texters ended.`,
    pausedTargets.length > 0 && `Paused meanwhile, so they may have received less: ${names.list(pausedTargets)}.`,
    overLimitText(overLimit, names),
    countTable(['to', 'moved'], assigneeRows(receipt.byTarget, names)),
    countTable(['from', 'moved'], assigneeRows(receipt.bySource, names)),
    countTable(
      ['status', 'moved'],
      byStatus.map(({ status, count }) => [status, count]),
    ),
    skippedTable(receipt.skipped),
    resultsTable(receipt.results),
  );
}

function leftText(left: number, shortBecause: Receipt['shortBecause']): string {
  if (shortBecause === 'stopped')
    return `${counted(left, 'more conversation')} had not been reached. They did not change.`;
  return `${counted(left, 'conversation')} still match: they came later, or changed again and again.`;
}

/** Lists the chosen conversations that did not move. */
function resultsTable(results: Receipt['results'] = []): string | false {
  const unmoved = results.filter(({ result }) => result !== 'moved');
  return countTable(
    ['conversation', 'did not move because'],
    unmoved.map(({ conversationId, result }) => [conversationId, result]),
  );
}

export function previewText(preview: Preview, names: AssigneeNames): string {
  const moves = preview.moves.map(({ from, to, status, count }) => [names.of(from), names.of(to), status, count]);
  const assignees = preview.assignees.map((each) => [names.of(each.assigneeId), each.before, each.after]);
  return blocks(
    `Would move ${preview.moved} of ${counted(preview.selected, 'conversation')} selected. Nothing was changed.`,
    overLimitText(preview.overLimit, names),
    workedOnText(preview.skipped),
    countTable(['from', 'to', 'status', 'would move'], moves),
    table(['assignee', 'has now', 'would have'], assignees),
    skippedTable(preview.skipped),
  );
}

const LIMITED = { 'open-max': 'not-started', 'replies-max': 'needs-reply' } as const;

function overLimitText(overLimit: Receipt['overLimit'] = [], names: AssigneeNames): string | false {
  const lines = overLimit.map(
    ({ texterId, limit, max, count }) =>
      `Warning: ${count} ${LIMITED[limit]} conversations for ${names.of(texterId)}. Claims stop at ${max}.`,
  );
  return lines.length > 0 && lines.join('\n');
}

type Row = readonly (string | number)[];

function countTable(head: readonly string[], rows: readonly Row[]): string | false {
  return rows.length > 0 && table(head, rows);
}

function assigneeRows(
  counts: readonly { readonly assigneeId: Assignee; readonly count: number }[],
  names: AssigneeNames,
): Row[] {
  return counts.map(({ assigneeId, count }) => [names.of(assigneeId), count]);
}

/** Only an undo skips conversations for this reason. */
function workedOnText(skipped: Receipt['skipped']): string | false {
  const { count = 0 } = skipped.find(({ reason }) => reason === 'worked-on') ?? {};
  if (count === 0) return false;
  const conversations = count === 1 ? '1 conversation has' : `${count} conversations have`;
  return `${conversations} been worked on since. --include-worked-on moves back these too.`;
}

function skippedTable(skipped: Receipt['skipped']): string | false {
  return countTable(
    ['skipped because', 'conversations'],
    skipped.map(({ reason, count }) => [reason, count]),
  );
}

type Request = AnyOperation['request'];

/** An operation and its receipt. A claim is an operation too. */
/** Writes the state of an operation: "done", or "accepted, 3 ahead" for one that waits. */
export function stateText({ state, ahead }: ViewedOperation): string {
  return ahead === undefined ? state : `${state}, ${ahead} ahead`;
}

export function operationText(operation: ViewedOperation, names: AssigneeNames): string {
  const { request, error, failures = [], receipt, cancellation } = operation;
  return blocks(
    facts([
      ['operation', operation.operationId],
      ['campaign', operation.campaignId],
      ['kind', request.kind],
      ['from', fromText(request, names)],
      ['to', toText(request, names)],
      ...('status' in request ? [['status', request.status] as const] : []),
      ...('count' in request && request.count !== undefined ? [['count', request.count] as const] : []),
      ['state', stateText(operation)],
      ...('actorId' in request && request.actorId !== undefined ? [['asked by', request.actorId] as const] : []),
      ...('reason' in request && request.reason !== undefined ? [['reason', request.reason] as const] : []),
      ...(cancellation?.by ? [['cancelled by', cancellation.by] as const] : []),
      ...(cancellation?.reason ? [['cancelled because', cancellation.reason] as const] : []),
      ['accepted', moment(operation.acceptedAt)],
      ['started', moment(operation.startedAt)],
      ['ended', moment(operation.endedAt)],
    ]),
    error && `${isRetryable(operation) ? 'It failed' : 'It was refused'}: ${error.code}: ${error.message}`,
    failures.length > 0 && failuresText(failures),
    receipt && receiptText(receipt, names),
  );
}

function failuresText(failures: NonNullable<AnyOperation['failures']>): string {
  const lines = failures.map(({ at, message }) => [moment(at), message] as const);
  return `Attempts that failed:\n${facts(lines)}`;
}

export function fromText(request: Request, names: AssigneeNames): string {
  if (request.kind === 'self-assign') return 'pool';
  if (request.kind === 'undo') return `the moves of ${request.undoes}`;
  if ('conversations' in request) return counted(request.conversations.length, 'chosen conversation');
  if (!('from' in request)) return `conversation ${request.conversationId}`;
  return typeof request.from === 'string' ? request.from : names.list(request.from.texterIds);
}

export function toText(request: Request, names: AssigneeNames): string {
  if (request.kind === 'self-assign') return names.of(request.texterId);
  if (request.kind === 'undo') return 'the assignees before';
  if (!('to' in request)) return 'pool';
  if (typeof request.to === 'string') return request.to;
  if ('texterIds' in request.to) return names.list(request.to.texterIds);
  return Object.entries(request.to.counts)
    .map(([texterId, count]) => `${names.of(texterId)} ${count}`)
    .join(', ');
}
