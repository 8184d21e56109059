import { isEnded, type Clock } from '../domain/operation.ts';
import { isPermanent, Refusal } from '../domain/errors.ts';
import { UNAPPLIED_MAX } from '../domain/in-flight.ts';
import { ATTEMPTS_EXHAUSTED, failedAttempt, toStoredError } from '../domain/stored-error.ts';
import { creditsAfter, type Credit } from '../domain/credits.ts';
import type { MoveCount } from '../domain/receipt.ts';
import type { BatchSource } from './batch-source.ts';
import { needsBatches, NOTHING_AROUND, receiptOf, type Around } from './ending-receipt.ts';
import { kindOf, resolvePlan } from './kinds.ts';
import { countLimited } from './limits.ts';
import type { Operation, Plan } from './operation.ts';
import type { Ending, Stores } from './ports.ts';

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
  const around = await readAround(stores, operation, ending.state, source).catch((error: unknown) => {
    // A damaged plan may be why the operation fails. Its failure is recorded without these counts.
    if (ending.state !== 'failed') throw error;
    return NOTHING_AROUND;
  });
  return stores.operations.end(operation, async (reads) => {
    const totals = await reads.totals();
    // Batches list thousands of conversations, and most receipts need only their totals.
    const recent = needsBatches(operation, ending.state) ? await reads.recent(UNAPPLIED_MAX) : [];
    const receipt = receiptOf(operation, ending.state, { ...totals, ...around, recent });
    // A failed operation can be retried. Its moves are counted when it ends for good.
    const isCredited = ending.state !== 'failed' && changesCredits(operation, totals.moves);
    const credits = isCredited ? newCredits(operation, await reads.credits(), totals.moves, around.paused) : {};
    return { ...ending, at: clock.now(), receipt, ...credits };
  });
}

async function readAround(
  stores: Stores,
  operation: Operation,
  state: Ending['state'],
  source: BatchSource | undefined,
): Promise<Around> {
  const { campaignId, plan, request } = operation;
  const targets = plan?.limits ? plan.targets.filter((target) => target !== null) : [];
  const isCounted = source !== undefined && kindOf(request).requestedCount(request) === null;
  const [left, paused, limited] = await Promise.all([
    state === 'cancelled' ? countUnplanned(stores, operation) : isCounted ? source.countLeft() : null,
    pausedTargets(stores, operation),
    targets.length > 0 ? countLimited(stores.conversations, campaignId, targets) : [],
  ]);
  return { left, paused, limited };
}

function changesCredits({ plan }: Operation, moves: readonly MoveCount[]): boolean {
  return plan?.credits !== undefined && plan.targets.length > 1 && moves.length > 0;
}

/**
 * `stored`: the credits as the transaction reads them. An operation that is cancelled while it waits has no campaign lock, so
 * two operations can change credits at once.
 */
function newCredits(
  { plan }: Operation,
  stored: readonly Credit[],
  moves: readonly MoveCount[],
  paused: readonly string[],
): Pick<Ending, 'credits'> {
  if (!plan) return {};
  const dealt = { ...plan, ...(plan.surplus && { shares: plan.surplus.shares }) };
  return { credits: creditsAfter(stored, dealt, moves, new Set(paused)) };
}

/** Returns the targets that could not receive until the end. */
async function pausedTargets(stores: Stores, { campaignId, plan }: Operation): Promise<string[]> {
  if (!plan || !(plan.credits ?? plan.numbers)) return [];
  const texters = await stores.texters.list(campaignId);
  const active = new Set(texters.filter((texter) => texter.active).map(({ texterId }) => texterId));
  const targets = plan.targets.filter((target) => target !== null);
  return [...(plan.leftOut ?? []), ...targets.filter((target) => !active.has(target))];
}

/** Counts what a cancelled operation would have selected after the position of planning; `null` without a plan. */
async function countUnplanned(stores: Stores, operation: Operation): Promise<number | null> {
  const { operationId, request } = operation;
  const plan = operation.plan ?? (await planUnlessRefused(stores, operation));
  if (!plan) return null;
  const [newest] = await stores.batches.recent(operationId, 1);
  const unplanned = await kindOf(request).batchSource(stores, request, plan).countUnplanned(newest);
  return plan.limit === null ? unplanned : Math.min(unplanned, plan.limit);
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
