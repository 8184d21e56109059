import type { ConversationStore } from '../conversations/index.ts';
import { CLAIMED_STATUS, STATUSES } from '../domain/conversation.ts';
import { sumOf, type Receipt } from '../domain/receipt.ts';
import { counted } from './terminal.ts';

/** Says how many conversations the pool still has, and why a claim cannot receive them. */
export async function poolText(
  conversations: ConversationStore,
  campaignId: string,
  shortBecause: Receipt['shortBecause'],
): Promise<string | false> {
  if (shortBecause !== 'none-left' && shortBecause !== 'being-reassigned') return false;
  const { all, optedOut } = await conversations.atOneMoment(async (moment) => ({
    all: await moment.countByAssignee(campaignId, { assignees: [null], statuses: STATUSES }),
    optedOut: await moment.countOptedOut(campaignId, [null]),
  }));
  const total = sumOf(all);
  if (total === 0) return 'The pool is empty.';
  const countOf = (status: string): number =>
    sumOf(all.filter((each) => each.status === status)) - sumOf(optedOut.filter((each) => each.status === status));
  const others = STATUSES.filter((status) => status !== CLAIMED_STATUS && countOf(status) > 0);
  const claimable = countOf(CLAIMED_STATUS);
  const out = sumOf(optedOut);
  const reasons = [
    ...(others.length > 0
      ? [others.map((status) => counted(countOf(status), WAIT[status][0], WAIT[status][1])).join(', ')]
      : []),
    ...(out > 0 ? [`${out} opted out`] : []),
    ...(claimable > 0
      ? [`${claimable} ${shortBecause === 'none-left' ? 'came meanwhile' : 'are being reassigned'}`]
      : []),
  ];
  return `The pool still has ${counted(total, 'conversation')} that this claim could not receive: ${reasons.join(', ')}.`;
}

/** How conversations are described that stay in the pool: one, and several. Claims receive not-started ones only. */
const WAIT = {
  'needs-reply': ['needs a reply', 'need a reply'],
  'not-started': ['not started', 'not started'],
  'in-progress': ['in progress', 'in progress'],
  'awaiting-contact': ['awaits the contact', 'await the contact'],
  closed: ['closed', 'closed'],
} as const;
