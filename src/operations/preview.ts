import { type Batch } from './batch.ts';
import { STATUSES, type Assignee } from '../domain/conversation.ts';
import type { Plan } from './operation.ts';
import type { Preview } from './preview-result.ts';
import type { MoveCount, SkipCount } from '../domain/receipt.ts';
import type { BulkRequest, UndoRequest } from './request.ts';
import type { Outcome } from './evaluate.ts';
import { Planner } from './planner.ts';
import type { Stores } from './ports.ts';
import { type AssigneeCount, readInOrder } from '../conversations/index.ts';
import { resolvePlan } from './resolve-plan.ts';
import { UndoPlanning } from './undo-planning.ts';

/** How many conversations are planned before their counts are added up and the rest is forgotten. */
const BATCH_CONVERSATIONS = 5_000;

/**
 * Plans an operation as its run would, by the same code, and says what would come of it. Writes nothing.
 * Throws the `Refusal` that the operation would be refused with; an unassigning of all needs no confirmation here.
 */
export async function preview(stores: Stores, request: BulkRequest | UndoRequest): Promise<Preview> {
  const plan = await resolvePlan(stores, request);
  const counts = new Counts();
  const outcomes =
    request.kind === 'undo' ? lookAll(stores, request) : planAll(stores, request, unconfirmed(plan, request));
  for await (const outcome of outcomes) counts.add(outcome);
  const held = await stores.conversations.countByAssignee(request.campaignId);
  return counts.asPreview(held, [...new Set([...plan.sources, ...plan.targets])]);
}

/** The confirmed number caps a run; a preview says the real one. */
function unconfirmed(plan: Plan, request: BulkRequest): Plan {
  return { ...plan, limit: request.count ?? null };
}

async function* planAll(stores: Stores, request: BulkRequest, plan: Plan): AsyncGenerator<Batch> {
  const { operationId, campaignId } = request;
  const planner = new Planner({ operation: request, plan, last: null, batchMax: BATCH_CONVERSATIONS });
  const selection = { campaignId, operationId, sources: plan.sources, statuses: plan.statuses, limit: plan.limit };
  for await (const chunk of readInOrder(stores.conversations, selection, null)) {
    for (const candidate of chunk) {
      if (planner.isAtLimit) break;
      planner.take(candidate);
    }
    const batch = planner.closeBatch();
    if (batch) yield batch;
    if (planner.isAtLimit) return;
  }
}

/** An undo's batches are planned without reading: what they would come to is seen by looking. */
async function* lookAll(stores: Stores, request: UndoRequest): AsyncGenerator<Outcome> {
  const guard = { statuses: STATUSES, lastMovedBy: request.undoes };
  const planning = new UndoPlanning(stores, request, BATCH_CONVERSATIONS);
  for await (const batch of planning.batches()) yield stores.batches.look(batch, { ...request, request }, guard);
}

/** Adds up what batches would do. */
class Counts {
  private readonly moves = new Map<string, MoveCount>();
  private readonly skips = new Map<SkipCount['reason'], number>();

  add({ moves, skips }: Outcome): void {
    for (const { from, to, status, conversationIds } of moves) {
      const key = `${status}|${from ?? ''}|${to ?? ''}`;
      const before = this.moves.get(key)?.count ?? 0;
      this.moves.set(key, { from, to, status, count: before + conversationIds.length });
    }
    for (const { reason, conversationIds } of skips) {
      this.skips.set(reason, (this.skips.get(reason) ?? 0) + conversationIds.length);
    }
  }

  asPreview(held: readonly AssigneeCount[], assignees: readonly Assignee[]): Preview {
    const moves = [...this.moves.values()];
    const skipped = [...this.skips].map(([reason, count]) => ({ reason, count }));
    const moved = total(moves);
    return {
      selected: moved + total(skipped),
      moved,
      moves,
      skipped,
      assignees: assignees.map((assigneeId) => {
        const holds = total(held.filter((count) => count.assigneeId === assigneeId));
        const leaving = total(moves.filter((move) => move.from === assigneeId));
        const coming = total(moves.filter((move) => move.to === assigneeId));
        return { assigneeId, holds, wouldHold: holds - leaving + coming };
      }),
    };
  }
}

function total(counts: readonly { readonly count: number }[]): number {
  return counts.reduce((sum, { count }) => sum + count, 0);
}
