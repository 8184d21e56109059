import { countMoves } from './batch.ts';
import { Refusal } from '../domain/errors.ts';
import type { Operation, Plan } from './operation.ts';
import { isBulk } from './request.ts';
import { statusesFrom, type Position } from '../domain/selection.ts';
import type { StoredBatch, Stores } from './ports.ts';
import { resolvePlan } from './resolve-plan.ts';
import { UNAPPLIED_MAX } from './run-slice.ts';

/**
 * How many conversations a stopped operation leaves that it would yet have looked at: those of dropped batches, and all
 * that lies behind the place where planning stood. Counted from that place on, by ranges of the index, since what lies
 * before it is in the receipt: so nothing that moved, or was skipped, is counted again, and no document is read. What
 * came in before that place meanwhile would never have been looked at, and does not count.
 */
export async function countLeft(stores: Stores, operation: Operation, moved: number): Promise<number> {
  const plan = operation.plan ?? (await planUnlessRefused(stores, operation));
  if (!plan) return 0;
  const recent = await stores.batches.recent(operation.operationId, UNAPPLIED_MAX);
  const behind = await countBehind(stores, operation, plan, recent.at(-1));
  const left = selectedIn(recent.filter(({ state }) => state === 'dropped')) + behind;
  return plan.limit === null ? left : Math.min(left, Math.max(0, plan.limit - moved));
}

/** Stopped before its turn came: as it would have been planned now. What would have been refused leaves nothing. */
async function planUnlessRefused(stores: Stores, { request }: Operation): Promise<Plan | undefined> {
  try {
    return await resolvePlan(stores, request);
  } catch (error) {
    if (error instanceof Refusal) return undefined;
    throw error;
  }
}

function selectedIn(batches: readonly StoredBatch[]): number {
  const skipped = batches.flatMap(({ skips }) => skips).reduce((sum, skip) => sum + skip.conversationIds.length, 0);
  return countMoves(batches.flatMap(({ moves }) => moves)) + skipped;
}

async function countBehind(
  stores: Stores,
  { request, campaignId }: Operation,
  plan: Plan,
  last: StoredBatch | undefined,
): Promise<number> {
  const position = last?.after.position ?? null;
  if (isBulk(request)) return countFrom(stores, campaignId, plan, position);
  if (request.kind === 'undo') return (plan.limit ?? 0) - (last?.after.planned ?? 0);
  if (position) return 0;
  const found = await stores.conversations.findOne(campaignId, request.conversationId);
  return found && plan.sources.includes(found.assigneeId) ? 1 : 0;
}

async function countFrom(
  { conversations }: Stores,
  campaignId: string,
  { sources, statuses }: Plan,
  position: Position | null,
): Promise<number> {
  const whole = statusesFrom(statuses, position).filter((status) => status !== position?.status);
  const [rest, later] = await Promise.all([
    position ? conversations.countAfter(campaignId, sources, position) : 0,
    whole.length > 0 ? conversations.count(campaignId, sources, whole) : 0,
  ]);
  return rest + later;
}
