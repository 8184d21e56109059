import type { AssigneeCount, ConversationStore } from '../conversations/index.ts';
import type { SelfAssignSettings } from '../domain/self-assign.ts';
import type { Assignee, Status } from '../domain/conversation.ts';
import type { OverLimit } from '../domain/receipt.ts';
import { sumsByAssignee } from './moves.ts';
import type { ClaimLimits, Operation } from './operation.ts';

const LIMITED_STATUSES = ['not-started', 'needs-reply'] as const;

/** How long {@link QueuedLoads} reuses a count. The moves of later operations are added to it. */
const COUNT_REUSED_MS_MAX = 1_000;
/** How many campaigns have their last operation remembered. */
const CAMPAIGNS_KEPT_MAX = 100;

export interface LimitCheck {
  readonly campaignId: string;
  readonly limits: ClaimLimits;
  readonly texterIds: readonly string[];
  /** Added to the counts: for example moves that are not written yet. */
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

interface Load {
  /** By `performance.now()`, before the query. */
  readonly countedAt: number;
  readonly counts: readonly AssigneeCount[];
}

/** The last operation of a campaign that this process has ended at once. */
interface LastEnded {
  readonly sequence: number;
  readonly endedAt: Date;
  /** The counts that the next operation may reuse, by texter. */
  readonly loads: ReadonlyMap<string, Load>;
}

type QueuePlace = Pick<Operation, 'campaignId' | 'sequence' | 'acceptedAt'>;

/**
 * The loads of the texters to whom the queued operations of a campaign move conversations, for the warnings in the receipts.
 * The cost of a count grows with the conversations of the texters. An operation that waited for the one before it reuses the
 * counts of that one for up to a second. Every other operation counts again.
 */
export class QueuedLoads {
  private readonly campaigns = new Map<string, LastEnded>();

  /** Returns the counts with which `overLimits` finds the texters past a limit. For an operation that is about to end. */
  async count(
    conversations: ConversationStore,
    check: LimitCheck,
    operation: QueuePlace,
  ): Promise<readonly AssigneeCount[]> {
    const last = this.predecessorOf(operation);
    if (!last) return countIfOver(conversations, check);
    const known = new Map([...last.loads].filter(([, load]) => isFresh(load)));
    const missing = check.texterIds.filter((texterId) => !known.has(texterId));
    const loads = new Map([...known, ...(await countLoads(conversations, check.campaignId, missing))]);
    // A single move or a claim may have ended meanwhile.
    if (this.campaigns.get(operation.campaignId) === last) {
      this.campaigns.set(operation.campaignId, { ...last, loads });
    }
    return check.texterIds.flatMap((texterId) => loads.get(texterId)?.counts ?? []);
  }

  /** Call it after an operation has moved and ended in one transaction. */
  noteEndedAtOnce(operation: QueuePlace, endedAt: Date, changes: readonly AssigneeCount[]): void {
    const { campaignId, sequence } = operation;
    const loads = afterChanges(this.predecessorOf(operation)?.loads ?? new Map<string, Load>(), changes);
    this.campaigns.delete(campaignId);
    this.campaigns.set(campaignId, { sequence, endedAt, loads });
    const [oldest] = this.campaigns.keys();
    if (this.campaigns.size > CAMPAIGNS_KEPT_MAX && oldest !== undefined) this.campaigns.delete(oldest);
  }

  /** Call it after a single move or a claim of the campaign. The next operation counts again. */
  forget(campaignId: string): void {
    this.campaigns.delete(campaignId);
  }

  /** Returns the last operation if it was the one before this one, and this one waited for it. */
  private predecessorOf({ campaignId, sequence, acceptedAt }: QueuePlace): LastEnded | undefined {
    const last = this.campaigns.get(campaignId);
    return last?.sequence === sequence - 1 && acceptedAt <= last.endedAt ? last : undefined;
  }
}

function isFresh({ countedAt }: Load): boolean {
  return performance.now() - countedAt < COUNT_REUSED_MS_MAX;
}

async function countLoads(
  conversations: ConversationStore,
  campaignId: string,
  texterIds: readonly string[],
): Promise<Map<string, Load>> {
  if (texterIds.length === 0) return new Map();
  const countedAt = performance.now();
  const counts = new Map<Assignee, AssigneeCount[]>(texterIds.map((texterId) => [texterId, []]));
  for (const each of await countLimited(conversations, campaignId, texterIds)) counts.get(each.assigneeId)?.push(each);
  return new Map(texterIds.map((texterId) => [texterId, { countedAt, counts: counts.get(texterId) ?? [] }]));
}

/**
 * Adds the conversations that texters were given. Drops the count of a texter who has lost some: they may be of contacts who
 * opted out, and the count leaves these contacts out.
 */
function afterChanges(loads: ReadonlyMap<string, Load>, changes: readonly AssigneeCount[]): Map<string, Load> {
  const given = new Map<Assignee, AssigneeCount[]>();
  for (const change of changes) given.set(change.assigneeId, [...(given.get(change.assigneeId) ?? []), change]);
  const after = new Map<string, Load>();
  for (const [texterId, { countedAt, counts }] of loads) {
    const own = given.get(texterId) ?? [];
    if (own.every(({ count }) => count >= 0)) after.set(texterId, { countedAt, counts: addUp([...counts, ...own]) });
  }
  return after;
}

/** Joins the counts of each status, so that the list stays short. */
function addUp(counts: readonly AssigneeCount[]): AssigneeCount[] {
  const sums = new Map<AssigneeCount['status'], AssigneeCount>();
  for (const each of counts) {
    sums.set(each.status, { ...each, count: (sums.get(each.status)?.count ?? 0) + each.count });
  }
  return [...sums.values()];
}
