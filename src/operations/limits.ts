import type { AssigneeCount, ConversationStore } from '../conversations/index.ts';
import type { SelfAssignSettings } from '../domain/self-assign.ts';
import type { Status } from '../domain/conversation.ts';
import { sumOf, type OverLimit } from '../domain/receipt.ts';

/** The limits that a texter's claims obey. A reassign may go past them, and its receipt then says so. */
export type ClaimLimits = Pick<SelfAssignSettings, 'openMax' | 'repliesMax'>;

/** Returns the limits of a campaign as a field of the plan; nothing when the campaign allows no claims. */
export function limitsOf({ enabled, openMax, repliesMax }: SelfAssignSettings): { readonly limits?: ClaimLimits } {
  return enabled ? { limits: { openMax, repliesMax } } : {};
}

/** Returns each texter whose conversations exceed a limit, with their number. */
export function overLimits(
  limits: ClaimLimits,
  texterIds: readonly string[],
  counts: readonly AssigneeCount[],
): OverLimit[] {
  const counted = (texterId: string, status: Status): number =>
    sumOf(counts.filter((each) => each.assigneeId === texterId && each.status === status));
  return texterIds.flatMap((texterId): OverLimit[] => {
    const open = counted(texterId, 'not-started');
    const replies = counted(texterId, 'needs-reply');
    const { openMax, repliesMax } = limits;
    return [
      ...(open > openMax ? [{ texterId, limit: 'open-max' as const, max: openMax, count: open }] : []),
      ...(repliesMax !== null && replies > repliesMax
        ? [{ texterId, limit: 'replies-max' as const, max: repliesMax, count: replies }]
        : []),
    ];
  });
}

/** Counts what these texters can act on, in the statuses that limits are about. */
export async function countLimited(
  conversations: ConversationStore,
  campaignId: string,
  texterIds: readonly string[],
): Promise<AssigneeCount[]> {
  const among = { assignees: texterIds, statuses: ['not-started', 'needs-reply'] } as const;
  const { all, optedOut } = await conversations.atOneMoment(async (moment) => ({
    all: await moment.countByAssignee(campaignId, among),
    optedOut: await moment.countOptedOut(campaignId, texterIds),
  }));
  return [...all, ...optedOut.map((each) => ({ ...each, count: -each.count }))];
}
