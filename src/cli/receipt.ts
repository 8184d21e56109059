import { STATUSES, type Assignee } from '../domain/conversation.ts';
import type { Preview } from '../operations/index.ts';
import type { Receipt } from '../domain/receipt.ts';
import type { AssigneeNames } from './assignees.ts';
import { blocks, counted, table } from './output.ts';

/** Why there are fewer than were asked for. */
export const WHY_SHORT = {
  'none-left': 'there are no more',
  'batch-max': 'that is the most at once',
  'open-max': 'that is the most not-started ones to hold',
  stopped: 'it was stopped',
} as const satisfies Record<NonNullable<Receipt['shortBecause']>, string>;

/** What an operation came to, in words and tables. */
export function receiptText(receipt: Receipt, names: AssigneeNames): string {
  const byStatus = [...receipt.byStatus].sort((a, b) => STATUSES.indexOf(a.status) - STATUSES.indexOf(b.status));
  const { moved, selected, asked, shortBecause, left } = receipt;
  const wanted = asked === null ? '' : `, of ${asked} asked for`;
  const short = shortBecause === null ? '' : `${wanted}: ${WHY_SHORT[shortBecause]}`;
  return blocks(
    `Moved ${moved} of ${counted(selected, 'conversation')} selected${short}.`,
    left !== null && left > 0 && `${counted(left, 'conversation')} more would have been looked at; left as they were.`,
    receipt.byTarget.length > 0 && countTable('to', receipt.byTarget, names),
    receipt.bySource.length > 0 && countTable('from', receipt.bySource, names),
    byStatus.length > 0 &&
      table(
        ['status', 'moved'],
        byStatus.map(({ status, count }) => [status, count]),
      ),
    skippedTable(receipt.skipped),
  );
}

/** What an operation would do, in words and tables. */
export function previewText(preview: Preview, names: AssigneeNames): string {
  const moves = preview.moves.map(({ from, to, status, count }) => [names.of(from), names.of(to), status, count]);
  const assignees = preview.assignees.map(({ assigneeId, holds, wouldHold }) => [
    names.of(assigneeId),
    holds,
    wouldHold,
  ]);
  return blocks(
    `Would move ${preview.moved} of ${counted(preview.selected, 'conversation')} selected. Nothing was changed.`,
    moves.length > 0 && table(['from', 'to', 'status', 'would move'], moves),
    table(['assignee', 'holds', 'would hold'], assignees),
    skippedTable(preview.skipped),
  );
}

function countTable(
  head: string,
  counts: readonly { readonly assigneeId: Assignee; readonly count: number }[],
  names: AssigneeNames,
): string {
  return table(
    [head, 'moved'],
    counts.map(({ assigneeId, count }) => [names.of(assigneeId), count]),
  );
}

function skippedTable(skipped: Receipt['skipped']): string | false {
  if (skipped.length === 0) return false;
  return table(
    ['skipped because', 'conversations'],
    skipped.map(({ reason, count }) => [reason, count]),
  );
}
