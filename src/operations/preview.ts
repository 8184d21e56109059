import { checkConfirmation } from './confirmation.ts';
import type { AssigneeCount } from '../conversations/index.ts';
import type { Assignee } from '../domain/conversation.ts';
import { operationConflict } from '../domain/errors.ts';
import { sumOf, type MoveCount, type OverLimit, type SkipCount } from '../domain/receipt.ts';
import type { OperationRequest } from './contract.ts';
import { changesOf, moveKey, sumsByAssignee } from './moves.ts';
import type { Evaluation } from './evaluate.ts';
import type { Preview } from './jobs.ts';
import { kindOf, needsCampaignLock, resolvePlan } from './kinds.ts';
import { countIfOver, overLimits } from './limits.ts';
import type { Plan } from './operation.ts';
import type { Stores } from './ports.ts';

/** How many conversations are planned before only their counts are kept. */
const BATCH_CONVERSATIONS = 5_000;

/**
 * Plans an operation with the code that runs it, and adds up what would move. All its reads of conversations see one moment.
 * Writes nothing. Throws the `Refusal` that the operation would end with, except that a preview needs no confirmation.
 */
export async function preview(stores: Stores, request: OperationRequest): Promise<Preview> {
  return stores.conversations.atOneMoment((moment) =>
    previewAt({ ...stores, conversations: moment }, request, moment.at),
  );
}

async function previewAt(stores: Stores, request: OperationRequest, at: Date): Promise<Preview> {
  // The first read chooses the moment, and the others need these counts too.
  const current = await stores.conversations.countByAssignee(request.campaignId);
  const kind = kindOf(request);
  const resolved = await kind.resolvePlan(stores, request, false);
  // A confirmed number limits the operation. The preview has to show the real number.
  const plan = { ...resolved, limit: kind.requestedCount(request) };
  const counted = await kind.countedSource?.(stores, request, plan);
  const batches = counted ?? kind.batchSource(stores, request, plan);
  const counts = new PreviewCounts();
  for await (const batch of batches.batches(() => BATCH_CONVERSATIONS)) {
    counts.add(batches.readsConversations ? batch : await stores.batches.evaluate(batch, request, batches.guard));
  }
  const found = counts.toPreview(current, [...new Set([...plan.sources, ...plan.targets])]);
  const over = await overLimitAfter(stores, request.campaignId, plan, found.moves);
  return { countedAt: at.toISOString(), ...found, ...(over.length > 0 && { overLimit: over }) };
}

async function overLimitAfter(
  { conversations }: Stores,
  campaignId: string,
  { limits }: Plan,
  moves: readonly MoveCount[],
): Promise<OverLimit[]> {
  const receivers = [...new Set(moves.flatMap(({ to }) => to ?? []))];
  if (!limits || receivers.length === 0) return [];
  const changes = changesOf(moves);
  const before = await countIfOver(conversations, { campaignId, limits, texterIds: receivers, changes });
  return overLimits(limits, receivers, [...before, ...changes]);
}

/**
 * Throws the `Refusal` that a request would meet now, before it is sent. Nothing is recorded. Returns the plan, or
 * `undefined` when the operation exists already. The worker checks everything again when the operation starts.
 */
export async function refuseEarly(
  stores: Stores,
  request: OperationRequest,
  requestHash: string,
): Promise<Plan | undefined> {
  const existing = await stores.operations.find(request.operationId);
  if (!existing) return resolvePlan(stores, request);
  if (existing.requestHash === requestHash) return undefined;
  throw operationConflict(existing.operationId);
}

/** Throws the refusal of an unassign that needs a confirmation and has none, or a wrong one, before it is sent. */
export async function refuseUnconfirmed(stores: Stores, request: OperationRequest): Promise<void> {
  if (request.kind !== 'unassign') return;
  await checkConfirmation(stores, request, await resolvePlan(stores, request));
}

/** Counts the conversations that a bulk request would select now, for a progress bar; 0 for a single conversation. */
export async function countSelected(stores: Stores, request: OperationRequest, plan: Plan): Promise<number> {
  if (!needsCampaignLock(request)) return 0;
  const selected = await kindOf(request).batchSource(stores, request, plan).countUnplanned(undefined);
  return Math.min(selected, plan.limit ?? selected);
}

class PreviewCounts {
  private readonly moves = new Map<string, MoveCount>();
  private readonly skips = new Map<SkipCount['reason'], number>();

  add({ moves, skips }: Evaluation): void {
    for (const { from, to, status, conversationIds } of moves) {
      const key = moveKey({ status, from, to });
      const before = this.moves.get(key)?.count ?? 0;
      this.moves.set(key, { from, to, status, count: before + conversationIds.length });
    }
    for (const { reason, conversationIds } of skips) {
      this.skips.set(reason, (this.skips.get(reason) ?? 0) + conversationIds.length);
    }
  }

  toPreview(current: readonly AssigneeCount[], assignees: readonly Assignee[]): Omit<Preview, 'countedAt'> {
    const moves = [...this.moves.values()];
    const skipped = [...this.skips].map(([reason, count]) => ({ reason, count }));
    const moved = sumOf(moves);
    const now = sumsByAssignee(current);
    const leaving = sumsByAssignee(moves.map(({ from, count }) => ({ assigneeId: from, count })));
    const coming = sumsByAssignee(moves.map(({ to, count }) => ({ assigneeId: to, count })));
    return {
      selected: moved + sumOf(skipped),
      moved,
      moves,
      skipped,
      assignees: assignees.map((assigneeId) => {
        const before = now.get(assigneeId) ?? 0;
        const after = before - (leaving.get(assigneeId) ?? 0) + (coming.get(assigneeId) ?? 0);
        return { assigneeId, before, after };
      }),
    };
  }
}
