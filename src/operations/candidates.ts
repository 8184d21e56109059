import {
  mayLeaveOutSources,
  readFromEnd,
  readInOrder,
  type ConversationRange,
  type PageStore,
} from '../conversations/index.ts';
import {
  CLAIMED_STATUS,
  positionOf,
  statusesFrom,
  type Assignee,
  type Candidate,
  type Position,
} from '../domain/conversation.ts';
import type { Batch } from './batch.ts';
import type { BulkRequest, OneRequest } from './contract.ts';
import type { Plan } from './operation.ts';
import type { Planner } from './planner.ts';
import type { Stores } from './ports.ts';
import { countSurplus } from './surplus.ts';

/** The conversations that a request selects, in order. */
export interface Candidates {
  /**
   * Counts the conversations that match and that the operation has not moved. They are read again until none is left.
   * Absent for a request that names its conversation.
   */
  countLeft?(planner: Planner): Promise<number>;
  /** True when the first pass may leave out matching conversations, so that an empty first pass does not end the operation. */
  readonly isFirstPassPartial?: boolean;
  /** Reads on from the planner's position. */
  read(planner: Planner): AsyncIterable<readonly Candidate[]>;
  /** Counts the conversations after a batch; `undefined` is the beginning. */
  count(newest: Batch | undefined): Promise<number>;
  /** How far the part of the pool that claims receive has been read. */
  readAhead?(): Promise<Position | null>;
}

/** Selects by source and status. Targets that are sources too come last: each gives its surplus, from the end of the order. */
export function manyCandidates({ conversations }: Stores, request: BulkRequest, plan: Plan): Candidates {
  const { campaignId, operationId } = request;
  const { sources, targets, statuses, limit, surplus } = plan;
  const common = { campaignId, operationId, statuses };
  const inOrder = { ...common, sources: surplus?.emptied ?? sources, limit };
  // Conversations can come to these sources after the surplus was counted.
  const isTarget = new Set(targets);
  const emptied = surplus ? sources.filter((source) => !isTarget.has(source)) : sources;
  const readsUnknownLater = request.status === 'any' && !surplus;
  const isFirstPassPartial = readsUnknownLater || mayLeaveOutSources(inOrder.sources);
  let passes = 0;
  let reader = new ReadAhead(conversations, sources.includes(null));
  return {
    isFirstPassPartial,
    async *read(planner) {
      reader = new ReadAhead(conversations, sources.includes(null));
      passes += 1;
      const again = passes > 1 ? { sources: emptied } : {};
      yield* readInOrder(reader, { ...inOrder, ...again }, planner.position);
      const wanted = (target: Assignee): number => planner.surplusOf(target);
      if (surplus) yield* readFromEnd(conversations, { ...common, sources: targets, wanted }, planner.surplusPosition);
      // Usually the first pass has moved everything. The count after it tells whether unknown statuses remain.
      const readsUnknown = request.status === 'any' && (passes > 1 || !readsUnknownLater);
      if (readsUnknown) yield* readUnknown(conversations, campaignId, sources, operationId);
    },
    async count(newest) {
      const inOrderCount = await countAfter(conversations, inOrder, newest?.after.position ?? null);
      if (!surplus) return inOrderCount;
      // Before the first move, the loads are those of the plan.
      const loads = newest && newest.after.planned > 0 ? newest.after.loads : plan.loads;
      return inOrderCount + countSurplus(surplus, loads);
    },
    async countLeft(planner) {
      const left = await conversations.countNotMoved(campaignId, emptied, statuses, operationId);
      return surplus ? targets.reduce((sum, target) => sum + planner.surplusOf(target), left) : left;
    },
    readAhead: () => reader.position(),
  };
}

/** The last ones, because all of them are skipped. */
async function* readUnknown(
  conversations: Stores['conversations'],
  campaignId: string,
  sources: readonly Assignee[],
  operationId: string,
): AsyncGenerator<readonly Candidate[]> {
  const isSource = new Set(sources);
  for (let page = 0; ; page += 1) {
    const found = await conversations.readUnknown(campaignId, sources, page, operationId);
    if (!found) return;
    yield found.filter(({ assigneeId }) => isSource.has(assigneeId));
  }
}

/** Selects the conversation that a request names. */
export function oneCandidate({ conversations }: Stores, request: OneRequest, plan: Plan): Candidates {
  const find = () => conversations.findOne(request.campaignId, request.conversationId);
  return {
    async *read({ position }) {
      const found = position ? undefined : await find();
      if (found) yield [found];
    },
    async count(newest) {
      const found = newest?.after.position ? undefined : await find();
      return found && plan.sources.includes(found.assigneeId) ? 1 : 0;
    },
  };
}

/** Counts whole ranges of the index and reads no document. */
async function countAfter(
  conversations: Stores['conversations'],
  { campaignId, sources, statuses }: Pick<Plan, 'sources' | 'statuses'> & { readonly campaignId: string },
  after: Position | null,
): Promise<number> {
  if (sources.length === 0) return 0;
  const wholeStatuses = statusesFrom(statuses, after).filter((status) => status !== after?.status);
  const [restOfStatus, laterStatuses] = await Promise.all([
    after ? conversations.countAfter(campaignId, sources, after) : 0,
    wholeStatuses.length > 0 ? conversations.count(campaignId, sources, wholeStatuses) : 0,
  ]);
  return restOfStatus + laterStatuses;
}

/**
 * Reads pages for the planner and records how far it has read the part of the pool that claims receive. Pages are read
 * before they are planned. A claim that took such a conversation would make its batch fall short.
 */
class ReadAhead implements PageStore {
  private readonly store: PageStore;
  private readonly takesFromPool: boolean;
  private last: Position | null = null;
  private reading: Promise<unknown> = Promise.resolve();

  constructor(store: PageStore, takesFromPool: boolean) {
    this.store = store;
    this.takesFromPool = takesFromPool;
  }

  readPage(range: ConversationRange, after: Position | null, limit: number, operationId: string): Promise<Candidate[]> {
    const page = this.store.readPage(range, after, limit, operationId);
    const hasPool = range.assigneeId === null || range.assigneeId === undefined;
    if (this.takesFromPool && hasPool && range.status === CLAIMED_STATUS) {
      // The reader of the page handles an error.
      this.reading = page.then((candidates) => this.note(candidates)).catch(() => undefined);
    }
    return page;
  }

  countByAssignee(...asked: Parameters<PageStore['countByAssignee']>): ReturnType<PageStore['countByAssignee']> {
    return this.store.countByAssignee(...asked);
  }

  /** Returns the last conversation of the pool that was read, after the page that is being read has arrived. */
  async position(): Promise<Position | null> {
    await this.reading;
    return this.last;
  }

  private note(page: readonly Candidate[]): void {
    const last = page.at(-1);
    if (last) this.last = positionOf(last);
  }
}
