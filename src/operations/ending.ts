import { isEnded, type Clock } from '../domain/operation.ts';
import { isPermanent, Refusal } from '../domain/errors.ts';
import { UNAPPLIED_MAX } from '../domain/in-flight.ts';
import { ATTEMPTS_EXHAUSTED, failedAttempt, toStoredError } from '../domain/stored-error.ts';
import { sumOf, totalUp, type SkipCount, type SkipReason } from '../domain/receipt.ts';
import type { BatchSource } from './batch-source.ts';
import type { StoredBatch } from './batch.ts';
import { countMoves } from './moves.ts';
import { describeDeal, NO_DEAL } from './deal-notes.ts';
import { kindOf, resolvePlan } from './kinds.ts';
import type { Operation, Plan } from './operation.ts';
import type { Ending, Stores } from './ports.ts';

/** Conversations that are skipped for these reasons still match the request. */
const SKIPPED_BUT_MATCHING: readonly SkipReason[] = ['already-there', 'opted-out', 'incomplete'];

interface EndingDeps {
  readonly stores: Stores;
  readonly clock: Clock;
}

/** Ends an operation whose batches are complete as done, unless a failure or cancellation is recorded. */
export async function finish(deps: EndingDeps, operation: Operation, source: BatchSource): Promise<Operation> {
  const ended = await endWith(deps, operation, { state: 'done' }, source);
  // A failure or cancellation may have been recorded meanwhile. Then the operation is not done yet.
  return (await endStopped(deps, ended)) ?? ended;
}

/** Ends an operation as failed, with a receipt of what it has moved. */
export async function failWith(deps: EndingDeps, operation: Operation, error: Error): Promise<Operation> {
  const attempt = failedAttempt(error, deps.clock.now());
  const stored = isPermanent(error)
    ? toStoredError(error)
    : { code: ATTEMPTS_EXHAUSTED, message: attempt.message, expected: null, received: null };
  // Recorded before the batches are stopped: after a crash, no worker may mistake the stopped operation for a complete one.
  const recorded = await deps.stores.operations.recordError(operation, stored);
  return (await endStopped(deps, recorded)) ?? recorded;
}

/**
 * Stops and ends an operation that has a recorded failure or cancellation. Returns an ended operation unchanged, and
 * `undefined` when the operation continues.
 */
export async function endStopped(deps: EndingDeps, operation: Operation): Promise<Operation | undefined> {
  const { error, cancellation, state } = operation;
  if (isEnded(state)) return operation;
  if (!error && !cancellation) return undefined;
  await deps.stores.batches.stop(operation);
  return endWith(deps, operation, error ? { state: 'failed', error } : { state: 'cancelled' });
}

/** The list of batches is closed by now, so the totals are final. */
async function endWith(
  { stores, clock }: EndingDeps,
  operation: Operation,
  ending: Pick<Ending, 'state' | 'error'>,
  source?: BatchSource,
): Promise<Operation> {
  const { moves, skipped } = await stores.batches.totals(operation.operationId);
  const asked = kindOf(operation.request).requestedCount(operation.request);
  const left =
    ending.state === 'cancelled'
      ? { left: await countLeft(stores, operation, sumOf(moves)) }
      : await leftBehind(source, skipped, asked);
  const claims = operation.claimsEnded === undefined ? {} : { claimsEnded: operation.claimsEnded };
  const results = await listedResults(stores, operation);
  // A failed operation can be retried, and its plan may be damaged. That must not keep it from ending.
  const deal = ending.state === 'failed' ? NO_DEAL : await describeDeal(stores, operation, moves);
  const wanted = { asked, ended: ending.state === 'done', ...left, ...claims, ...results, ...deal.notes };
  const receipt = totalUp(moves, skipped, wanted);
  return stores.operations.end(operation, { ...ending, at: clock.now(), receipt, ...deal.credits });
}

/**
 * Counts what an operation on all conversations has left behind: those beyond a confirmed number, or those that other
 * programs changed again and again. An operation with a count leaves the others on purpose.
 */
async function leftBehind(
  source: BatchSource | undefined,
  skipped: readonly SkipCount[],
  asked: number | null,
): Promise<{ readonly left?: number }> {
  if (!source || asked !== null) return {};
  const inPlace = sumOf(skipped.filter(({ reason }) => SKIPPED_BUT_MATCHING.includes(reason)));
  const left = await source.countLeft(inPlace);
  return left > 0 ? { left } : {};
}

async function listedResults({ batches }: Stores, { operationId, request }: Operation) {
  const kind = kindOf(request);
  if (!kind.resultsOf) return {};
  return { results: kind.resultsOf(request, await batches.recent(operationId, UNAPPLIED_MAX)) };
}

/**
 * Counts what a cancelled operation would still have selected: dropped batches, unapplied moves, and everything after the
 * position of planning. The receipt has everything before that position.
 */
async function countLeft(stores: Stores, operation: Operation, moved: number): Promise<number> {
  const { operationId, request } = operation;
  const plan = operation.plan ?? (await planUnlessRefused(stores, operation));
  if (!plan) return 0;
  const recent = await stores.batches.recent(operationId, UNAPPLIED_MAX);
  const unplanned = await kindOf(request).batchSource(stores, request, plan).countUnplanned(recent.at(-1));
  const dropped = countSelected(recent.filter(({ state }) => state === 'dropped'));
  const unapplied = countMoves(recent.flatMap(({ unappliedMoves = [] }) => unappliedMoves));
  const left = dropped + unapplied + unplanned;
  return plan.limit === null ? left : Math.min(left, Math.max(0, plan.limit - moved));
}

/** Resolves the plan of an operation that was cancelled before it started. A refused operation leaves nothing. */
async function planUnlessRefused(stores: Stores, { request }: Operation): Promise<Plan | undefined> {
  try {
    return await resolvePlan(stores, request);
  } catch (error) {
    if (error instanceof Refusal) return undefined;
    throw error;
  }
}

function countSelected(batches: readonly StoredBatch[]): number {
  const skipped = batches.flatMap(({ skips }) => skips).reduce((sum, skip) => sum + skip.conversationIds.length, 0);
  return countMoves(batches.flatMap(({ moves }) => moves)) + skipped;
}
