import type { Status } from '../domain/conversation.ts';
import type { Receipt, SkipReason } from '../domain/receipt.ts';
import { counted } from './terminal.ts';

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
  replaced: 'a newer claim of the texter waits in its place',
} as const satisfies Record<NonNullable<Receipt['shortBecause']>, string>;

/** Why a conversation did not move. */
export const SKIPPED_BECAUSE = {
  'assignee-changed': 'assigned to someone else meanwhile',
  'status-changed': 'in another status meanwhile',
  'opted-out': 'the contact opted out',
  'target-inactive': 'the texter was paused',
  'already-there': 'already there',
  'worked-on': 'worked on since',
  incomplete: 'incomplete, see `baton repair`',
  gone: 'not on the campaign',
} as const satisfies Record<SkipReason, string>;

/** "Skipped 3: the contact opted out 2, already there 1." */
export function skippedText(skipped: Receipt['skipped']): string | false {
  const total = skipped.reduce((sum, { count }) => sum + count, 0);
  const [only] = skipped;
  if (!only || total === 0) return false;
  if (skipped.length === 1) return `Skipped ${total}: ${SKIPPED_BECAUSE[only.reason]}.`;
  return `Skipped ${total}: ${skipped.map(({ reason, count }) => `${SKIPPED_BECAUSE[reason]} ${count}`).join(', ')}.`;
}

/** "By status: needs-reply 2, closed 1." Nothing to say about a single conversation. */
export function byStatusText(counts: readonly { readonly status: Status; readonly count: number }[]): string | false {
  const total = counts.reduce((sum, { count }) => sum + count, 0);
  return total > 1 && `By status: ${counts.map(({ status, count }) => `${status} ${count}`).join(', ')}.`;
}

/** Only an undo skips conversations for this reason. */
export function workedOnText(skipped: Receipt['skipped']): string | false {
  const { count = 0 } = skipped.find(({ reason }) => reason === 'worked-on') ?? {};
  if (count === 0) return false;
  const conversations = count === 1 ? '1 conversation has' : `${count} conversations have`;
  return `${conversations} been worked on since. --include-worked-on moves back these too.`;
}

export function leftText(left: number, shortBecause: Receipt['shortBecause']): string {
  if (shortBecause === 'stopped')
    return `${counted(left, 'more conversation')} had not been reached. They did not change.`;
  return `${counted(left, 'conversation')} still match: they came later, or changed again and again.`;
}

/** The numbers may have changed since. `countedAt` is in ISO 8601. */
export function countedAtText(countedAt: string): string {
  return `Counted at ${countedAt.replace('T', ' ').replace(/\.\d+Z$/, ' UTC')}.`;
}
