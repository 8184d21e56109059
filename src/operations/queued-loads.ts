import type { AssigneeCount, ConversationStore } from '../conversations/index.ts';
import type { Assignee } from '../domain/conversation.ts';
import { countIfOver, countLimited, type LimitCheck } from './limits.ts';
import type { Operation } from './operation.ts';

/** A count is reused for this long. The moves of later operations are added to it. */
const COUNT_REUSED_MS_MAX = 1_000;
/** The campaigns whose last operation is remembered. */
const CAMPAIGNS_MAX = 100;

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
    if (this.campaigns.size > CAMPAIGNS_MAX && oldest !== undefined) this.campaigns.delete(oldest);
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
