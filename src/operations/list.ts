import { STATUSES } from '../domain/conversation.ts';
import type { ListedResult } from '../domain/receipt.ts';
import type { BatchSource } from './batch-source.ts';
import { countApplied, type Batch, type StoredBatch } from './batch.ts';
import type { ListRequest } from './contract.ts';
import type { WriteGuard } from './evaluate.ts';
import { splitMoves } from './moves.ts';
import type { Plan } from './operation.ts';
import { Planner } from './planner.ts';
import type { Stores } from './ports.ts';

/** Plans a request that lists its conversations. */
export function selectListed(stores: Stores, request: ListRequest, plan: Plan): BatchSource {
  return new List(stores, request, plan);
}

/** The whole list is one batch, so a worker that continues after a crash has nothing left to plan. */
class List implements BatchSource {
  readonly guard: WriteGuard = { statuses: STATUSES, lastMovedBy: null, dealsAgain: false };
  readonly readsConversations = true;
  readonly triesAsPlanned = true;
  private readonly stores: Stores;
  private readonly request: ListRequest;
  private readonly plan: Plan;
  private planner: Planner;
  private isPlanned = false;

  constructor(stores: Stores, request: ListRequest, plan: Plan) {
    this.stores = stores;
    this.request = request;
    this.plan = plan;
    this.planner = new Planner({ request, plan, newest: null });
  }

  isComplete(): boolean {
    return this.isPlanned;
  }

  leftAfter(): Promise<number> {
    return Promise.resolve(0);
  }

  resume(newest: Batch): void {
    this.planner = new Planner({ request: this.request, plan: this.plan, newest });
    this.isPlanned = true;
  }

  async *batches(): AsyncGenerator<Batch> {
    const { campaignId, conversations } = this.request;
    const ids = conversations.map(({ conversationId }) => conversationId);
    const found = await this.stores.conversations.findMany(campaignId, ids);
    const byId = new Map(found.map((candidate) => [candidate.id, candidate]));
    for (const { conversationId, expectedAssigneeId } of conversations) {
      const candidate = byId.get(conversationId);
      if (!candidate) this.planner.addSkip(conversationId, 'gone');
      else if (expectedAssigneeId !== undefined && expectedAssigneeId !== candidate.assigneeId)
        this.planner.addSkip(conversationId, 'assignee-changed');
      else this.planner.add(candidate);
    }
    const batch = this.planner.closeBatch();
    this.isPlanned = true;
    // The list has no place in the order of the pool, from which claims could see how far it has come.
    if (batch) yield { ...batch, after: { ...batch.after, position: null } };
  }

  addApplied(): void {
    // A conversation that cannot move stays where it is. No other conversation replaces it.
  }

  countLeft(): Promise<number> {
    return Promise.resolve(0);
  }

  endMarker(): Batch {
    return this.planner.endMarker();
  }

  countUnplanned(newest: Batch | undefined): Promise<number> {
    // An operation that was stopped before its only batch has nothing but an end marker.
    const isPlanned = newest && (newest.number > 1 || newest.moves.length + newest.skips.length > 0);
    return Promise.resolve(isPlanned ? 0 : this.request.conversations.length);
  }
}

/** Says for each conversation of a list what became of it. `batches`: all batches of the operation. */
export function listResults({ conversations }: ListRequest, batches: readonly StoredBatch[]): ListedResult[] {
  const results = new Map<string, ListedResult['result']>();
  for (const batch of batches) {
    const moved = splitMoves(batch.moves, countApplied(batch)).first;
    for (const id of moved.flatMap(({ conversationIds }) => conversationIds)) results.set(id, 'moved');
    if (batch.state !== 'applied') continue;
    for (const { reason, conversationIds } of batch.skips) for (const id of conversationIds) results.set(id, reason);
  }
  return conversations.map(({ conversationId }) => ({
    conversationId,
    result: results.get(conversationId) ?? 'stopped',
  }));
}
