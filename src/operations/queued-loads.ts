import type { AssigneeCount, ConversationStore } from '../conversations/index.ts';
import type { Assignee } from '../domain/conversation.ts';
import { countIfOver, countLimited, type LimitCheck } from './limits.ts';
import type { Operation } from './operation.ts';

/** How long a count of a texter's conversations is used. The moves of the operations since then are added to it. */
const USED_MS_MAX = 1_000;
/** The campaigns whose last operation is remembered. */
const CAMPAIGNS_MAX = 100;

interface Load {
  /** By `performance.now()`, before the query. */
  readonly countedAt: number;
  readonly counts: readonly AssigneeCount[];
}

/** The last operation of a campaign that this process has ended at once. */
interface Last {
  readonly sequence: number;
  readonly endedAt: Date;
  /** The loads that the operations of one queue have counted, by texter. */
  readonly loads: ReadonlyMap<string, Load>;
}

type InQueue = Pick<Operation, 'campaignId' | 'sequence' | 'acceptedAt'>;

/**
 * The loads of the texters to whom the queued operations of a campaign move conversations, for the warnings in the receipts.
 * Counting costs as much as the texters have. So operations that waited in the queue and run one right after the other share
 * a count for a second. All others count anew.
 */
export class QueuedLoads {
  private readonly campaigns = new Map<string, Last>();

  /** Returns the same as {@link countIfOver}, for an operation that is about to end. */
  async countIfOver(
    conversations: ConversationStore,
    check: LimitCheck,
    operation: InQueue,
  ): Promise<readonly AssigneeCount[]> {
    const last = this.before(operation);
    if (!last) return countIfOver(conversations, check);
    const isOld = (texterId: string): boolean => !isNew(last.loads.get(texterId));
    const counted = await countLoads(conversations, check.campaignId, check.texterIds.filter(isOld));
    const loads = new Map([...last.loads, ...counted]);
    this.campaigns.set(operation.campaignId, { ...last, loads });
    return check.texterIds.flatMap((texterId) => loads.get(texterId)?.counts ?? []);
  }

  /** Call it for an operation that has moved and ended in one transaction. */
  noteEnd(operation: InQueue, endedAt: Date, changes: readonly AssigneeCount[]): void {
    const { campaignId, sequence } = operation;
    const loads = new Map(this.before(operation)?.loads);
    for (const [texterId, { countedAt, counts }] of loads) {
      const own = changes.filter(({ assigneeId }) => assigneeId === texterId);
      if (own.length > 0) loads.set(texterId, { countedAt, counts: addUp([...counts, ...own]) });
    }
    this.campaigns.delete(campaignId);
    this.campaigns.set(campaignId, { sequence, endedAt, loads });
    const [oldest] = this.campaigns.keys();
    if (this.campaigns.size > CAMPAIGNS_MAX && oldest !== undefined) this.campaigns.delete(oldest);
  }

  /** Returns the operation right before this one, if this one waited for it. */
  private before({ campaignId, sequence, acceptedAt }: InQueue): Last | undefined {
    const last = this.campaigns.get(campaignId);
    return last?.sequence === sequence - 1 && acceptedAt <= last.endedAt ? last : undefined;
  }
}

function isNew(load: Load | undefined): boolean {
  return load !== undefined && performance.now() - load.countedAt < USED_MS_MAX;
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

/** Otherwise the list of a texter would grow with each operation. */
function addUp(counts: readonly AssigneeCount[]): AssigneeCount[] {
  const sums = new Map<AssigneeCount['status'], AssigneeCount>();
  for (const each of counts) {
    sums.set(each.status, { ...each, count: (sums.get(each.status)?.count ?? 0) + each.count });
  }
  return [...sums.values()];
}
