import { countApplied, type StoredBatch } from './batch.ts';
import { kindOf } from './kinds.ts';
import { countMoves } from './moves.ts';
import type { Operation } from './operation.ts';
import type { Stores } from './ports.ts';
import type { OperationProgress } from './view-ports.ts';

/**
 * Says how far a running operation has come, from its newest batches; `undefined` for one that does not run. The number that
 * is left can change: other programs write, and skipped conversations are not moved.
 */
export async function progressOf(stores: Stores, operationId: string): Promise<OperationProgress | undefined> {
  const operation = await stores.operations.find(operationId);
  const { plan } = operation ?? {};
  if (operation?.state !== 'running' || !plan) return undefined;
  const last = await stores.batches.last(operationId);
  const planned = last?.newest.after.planned ?? 0;
  const moved = Math.max(0, planned - unappliedIn(last?.unapplied ?? []) - (await missingOf(stores, operation)));
  const source = kindOf(operation.request).batchSource(stores, operation.request, plan);
  const left = planned - moved + (await source.countUnplanned(last?.newest));
  return { moved, left: plan.limit === null ? left : Math.max(0, Math.min(left, plan.limit - moved)) };
}

function unappliedIn(batches: readonly StoredBatch[]): number {
  return batches.reduce((sum, batch) => sum + countMoves(batch.moves) - countApplied(batch), 0);
}

/** Counts the planned moves that were not written. */
async function missingOf({ batches }: Stores, { operationId }: Operation): Promise<number> {
  const found = await batches.shortfalls(operationId);
  return found.flatMap(({ shortfalls }) => shortfalls).reduce((sum, { count }) => sum + count, 0);
}
