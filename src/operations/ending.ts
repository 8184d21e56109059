import type { Assignee } from '../domain/conversation.ts';
import { isEnded, type Clock } from '../domain/operation.ts';
import { isPermanent, Refusal } from '../domain/errors.ts';
import { UNAPPLIED_MAX } from '../domain/in-flight.ts';
import { ATTEMPTS_EXHAUSTED, failedAttempt, toStoredError } from '../domain/stored-error.ts';
import { creditsAfter, type Credit } from '../domain/credits.ts';
import type { MoveCount } from '../domain/receipt.ts';
import type { AssigneeCount } from '../conversations/index.ts';
import type { BatchSource } from './batch-source.ts';
import { receiversOf, type Batch, type StoredBatch } from './batch.ts';
import { needsBatches, NOTHING_AROUND, receiptOf, type Around } from './ending-receipt.ts';
import { isCounted, kindOf, resolvePlan } from './kinds.ts';
import { countIfOver, type QueuedLoads } from './limits.ts';
import { changesOf, countsOf } from './moves.ts';
import type { Operation, Plan } from './operation.ts';
import type { Ending, Stores } from './ports.ts';

export interface EndingDeps {
  readonly stores: Stores;
  readonly clock: Clock;
}

/** Ends an operation whose batches are complete as done, unless a failure or cancellation is recorded. */
export async function finish(deps: EndingDeps, operation: Operation, source: BatchSource): Promise<Operation> {
  const ended = await endWith(deps, operation, { state: 'done' }, source);
  // A failure or cancellation may have been recorded meanwhile. Then the operation is not done yet.
  return (await endStopped(deps, ended)) ?? ended;
}

/** The batch of an operation that needs no other one. */
interface OnlyBatch {
  readonly batch: Batch;
  readonly left: number;
  readonly loads: QueuedLoads | undefined;
}

/**
 * Moves and ends an operation in one transaction. `batch`, its first one, is all that it moves, and `left` conversations still
 * match afterwards. Returns `undefined`, and writes nothing, when that is not possible: then the batch is stored, and applied
 * in parts.
 */
export async function finishAtOnce(
  { stores, clock }: EndingDeps,
  operation: Operation,
  source: BatchSource,
  { batch, left, loads }: OnlyBatch,
): Promise<Operation | undefined> {
  const moves = countsOf(batch.moves);
  const skipped = batch.skips.map(({ reason, conversationIds }) => ({ reason, count: conversationIds.length }));
  const endMarker = source.endMarker();
  const recent: StoredBatch[] = [
    { ...batch, state: 'applied' },
    { ...endMarker, state: 'end-marker' },
  ];
  const changes = changesOf(moves);
  // Read outside of the transaction, where the moves are not visible yet: `changes` adds them.
  const around = Promise.all([
    countTargets(stores, operation, receiversOf([batch]), { changes, loads }),
    pausedTargets(stores, operation),
  ]);
  // The transaction may fail before anybody needs them.
  around.catch(() => undefined);
  const whole = { operation, batch, endMarker, guard: source.guard };
  const ended = await stores.operations.endAtOnce(whole, async (reads) => {
    const [counted, paused] = await around;
    const credits = changesCredits(operation, moves) ? newCredits(operation, await reads.credits(), moves, paused) : {};
    const found = {
      moves,
      skipped,
      left: isCounted(operation.request) ? left : null,
      paused,
      limited: [...counted, ...changes],
      recent,
    };
    return { state: 'done', at: clock.now(), receipt: receiptOf(operation, 'done', found), ...credits };
  });
  if (ended?.endedAt) loads?.noteEndedAtOnce(operation, ended.endedAt, changes);
  return ended;
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
  const { request } = operation;
  const mayCount = source !== undefined && isCounted(request);
  const [left, paused, limited] = await Promise.all([
    state === 'cancelled' ? countUnplanned(stores, operation) : mayCount ? source.countLeft() : null,
    pausedTargets(stores, operation),
    countTargets(stores, operation, operation.plan?.targets ?? []),
  ]);
  return { left, paused, limited };
}

interface CountOptions {
  /** Moves that are not written yet. */
  readonly changes?: readonly AssigneeCount[];
  readonly loads?: QueuedLoads | undefined;
}

/** Counts the conversations of these targets, if the campaign has limits and one of them exceeds a limit. */
async function countTargets(
  { conversations }: Stores,
  operation: Operation,
  targets: readonly Assignee[],
  { changes = [], loads }: CountOptions = {},
): Promise<readonly AssigneeCount[]> {
  const { campaignId, plan } = operation;
  // A damaged plan may have no list of targets. Then this promise is rejected, as the others that are awaited with it.
  const texterIds = targets.filter((target) => target !== null);
  if (!plan?.limits || texterIds.length === 0) return [];
  const check = { campaignId, limits: plan.limits, texterIds, changes };
  return loads ? loads.count(conversations, check, operation) : countIfOver(conversations, check);
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
