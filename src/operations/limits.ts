import type { AssigneeCount, ConversationStore } from '../conversations/index.ts';
import type { SelfAssignSettings } from '../domain/self-assign.ts';
import type { Assignee, Status } from '../domain/conversation.ts';
import type { OverLimit } from '../domain/receipt.ts';
import { sumsByAssignee } from './moves.ts';

const LIMITED_STATUSES = ['not-started', 'needs-reply'] as const;

/** The limits that a texter's claims obey. A reassign may go past them, and its receipt then says so. */
export type ClaimLimits = Pick<SelfAssignSettings, 'openMax' | 'repliesMax'>;

export interface LimitCheck {
  readonly campaignId: string;
  readonly limits: ClaimLimits;
  readonly texterIds: readonly string[];
  /** What comes to the counts, such as moves that are not written yet. */
  readonly changes?: readonly AssigneeCount[];
}

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
  const sums = new Map(LIMITED_STATUSES.map((status) => [status, sumsOf(counts, status)]));
  const counted = (texterId: string, status: 'not-started' | 'needs-reply'): number =>
    sums.get(status)?.get(texterId) ?? 0;
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

function sumsOf(counts: readonly AssigneeCount[], status: Status): Map<Assignee, number> {
  return sumsByAssignee(counts.filter((each) => each.status === status));
}

/**
 * Returns the conversations of these texters if one of them exceeds a limit with the `changes`; else nothing. The first
 * query counts the contacts who opted out too: if nobody exceeds a limit even so, no other query is needed.
 */
export async function countIfOver(
  conversations: ConversationStore,
  { campaignId, limits, texterIds, changes = [] }: LimitCheck,
): Promise<AssigneeCount[]> {
  const upperBound = await conversations.countByAssignee(campaignId, {
    assignees: texterIds,
    statuses: LIMITED_STATUSES,
  });
  if (overLimits(limits, texterIds, [...upperBound, ...changes]).length === 0) return [];
  return countLimited(conversations, campaignId, texterIds);
}

/** Counts what these texters can act on, in the statuses that limits are about. */
export async function countLimited(
  conversations: ConversationStore,
  campaignId: string,
  texterIds: readonly string[],
): Promise<AssigneeCount[]> {
  const among = { assignees: texterIds, statuses: LIMITED_STATUSES };
  const { all, fixed } = await conversations.atOneMoment(async (moment) => ({
    all: await moment.countByAssignee(campaignId, among),
    fixed: [
      ...(await moment.countOptedOut(campaignId, texterIds)),
      ...(await moment.countWithoutOptOut(campaignId, texterIds)),
    ],
  }));
  return [...all, ...fixed.map((each) => ({ ...each, count: -each.count }))];
}
