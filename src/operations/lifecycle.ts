import { type Clock } from '../domain/operation.ts';
import { CONFIRMATION_CODES, isPermanent, operationConflict, Refusal, TOO_EARLY_CODES } from '../domain/errors.ts';
import { toStoredError, type StoredError } from '../domain/stored-error.ts';
import { isOne, type OperationRequest } from './contract.ts';
import { endStopped, failWith } from './ending.ts';
import { kindOf, needsCampaignLock, refuseNow, resolvePlan } from './kinds.ts';
import { moveOne, type OneCommand } from './move-one.ts';
import { newOperation, type Operation, type OperationCommand, type Plan } from './operation.ts';
import { Overtaken, type Stores } from './ports.ts';
import { runSlice, type JustAccepted, type SliceControls } from './run.ts';

export interface LifecycleDeps {
  readonly stores: Stores;
  readonly clock: Clock;
}

/**
 * How one slice of an operation ended.
 * `waiting`: another operation of the campaign goes first. `unfinished`: there is more to do in another slice.
 */
export interface SliceResult {
  readonly kind: 'ended' | 'waiting' | 'unfinished';
  readonly operation: Operation;
}

/**
 * Accepts an operation, or finds the accepted one, and works on it for one slice.
 *
 * Several workers may call it any number of times. Each step is recorded under the operation id or guarded by it. A
 * `Refusal` is thrown only when the id belongs to a different request; any other refusal ends the operation as failed. Every
 * other error is transient: call again.
 */
export async function runOperation(
  deps: LifecycleDeps,
  command: OperationCommand,
  controls: SliceControls,
): Promise<SliceResult> {
  const { justAccepted } = controls;
  // Thousands may wait, so this makes one query.
  if (justAccepted && (await waits(deps, justAccepted))) {
    controls.onAccepted?.();
    return { kind: 'waiting', operation: justAccepted.operation };
  }
  const move = controls.moveOne ?? ((one: OneCommand) => moveOne(deps, one));
  const moved = isOneCommand(command) ? await move(command) : undefined;
  const { operation, isNew } = moved ? { operation: moved, isNew: true } : await accept(deps, command);
  controls.onAccepted?.();
  // The operation has ended, or a worker died after it recorded a failure or cancellation.
  const ended = await endStopped(deps, operation);
  if (ended) return { kind: 'ended', operation: ended };
  try {
    return await startAndRun(deps, operation, isNew || isFirstRun(operation, controls), controls);
  } catch (error) {
    return { kind: 'ended', operation: await endOnError(deps, operation, error) };
  }
}

/** Returns true while an earlier operation waits, unless this one would be refused now: then the usual way refuses it. */
async function waits({ stores }: LifecycleDeps, { operation, reads }: JustAccepted): Promise<boolean> {
  if (operation.error || !(await stores.operations.mustWait(operation))) return false;
  return refuseNow(reads, operation.request).then(
    () => true,
    () => false,
  );
}

/** The job of another operation may have accepted this one. A job that reconcile has made is newer than the operation. */
function isFirstRun({ acceptedAt }: Operation, { firstRunSentAt }: SliceControls): boolean {
  return firstRunSentAt !== undefined && firstRunSentAt <= acceptedAt.getTime();
}

function isOneCommand(command: OperationCommand): command is OneCommand {
  return isOne(command.request);
}

export interface Accepted {
  readonly operation: Operation;
  /** True when this call has recorded the operation. */
  readonly isNew: boolean;
}

/** Records an operation, or returns the one that has its id. Throws a `Refusal` when that one has another request. */
export async function accept({ stores, clock }: LifecycleDeps, command: OperationCommand): Promise<Accepted> {
  const { request, requestHash } = command;
  const existing = await stores.operations.find(request.operationId);
  const operation = existing ?? (await insert({ stores, clock }, command));
  if (operation.requestHash !== requestHash) throw operationConflict(operation.operationId);
  if (!isSentAnew(operation, command)) return { operation, isNew: !existing };
  return { operation: await stores.operations.acceptAnew(newOperation(command, clock.now())), isNew: true };
}

/** A refusal is inserted with the operation, so that it still holds after a crash before the operation ends. */
async function insert({ stores, clock }: LifecycleDeps, command: OperationCommand): Promise<Operation> {
  const { request } = command;
  const operation = { ...newOperation(command, clock.now()), error: await refusalAtAcceptance(stores, request) };
  try {
    return await stores.operations.accept(operation, needsCampaignLock(request));
  } catch (error) {
    if (!(error instanceof Refusal)) throw error;
    return stores.operations.accept({ ...operation, error: toStoredError(error) }, false);
  }
}

/** Returns the refusal of a request that holds even if it would not hold any more when the operation starts. */
export async function refusalAtAcceptance(stores: Stores, request: OperationRequest): Promise<StoredError | null> {
  try {
    await kindOf(request).refuseAtAcceptance?.(stores, request);
    return null;
  } catch (error) {
    if (error instanceof Refusal) return toStoredError(error);
    throw error;
  }
}

/**
 * Some refused operations may be sent again under their id: with another confirmation, or at another time. A stalled run of
 * the refused job must not restart it: only a job with another `sendId` was sent again.
 */
function isSentAnew({ error, state, request, createdBySendId }: Operation, sent: OperationCommand): boolean {
  const isRefusedWith = (codes: readonly string[]): boolean => state === 'failed' && codes.includes(error?.code ?? '');
  if (isRefusedWith(CONFIRMATION_CODES)) return confirmOf(request) !== confirmOf(sent.request);
  return isRefusedWith(TOO_EARLY_CODES) && createdBySendId !== sent.sendId;
}

function confirmOf(request: OperationRequest): number | undefined {
  return 'confirm' in request ? request.confirm : undefined;
}

async function startAndRun(
  deps: LifecycleDeps,
  accepted: Operation,
  isNew: boolean,
  controls: SliceControls,
): Promise<SliceResult> {
  const running = await start(deps, accepted, isNew);
  if (!running) return { kind: 'waiting', operation: accepted };
  const ended = await endStopped(deps, running);
  if (ended || !running.plan) return { kind: 'ended', operation: ended ?? running };
  const mayHaveBatches = accepted.plan !== null || accepted.reopened !== undefined;
  return run(deps, { operation: running, plan: running.plan, mayHaveBatches }, controls);
}

/**
 * Takes the campaign lock and stores the plan. Returns `undefined` while another bulk operation of the campaign goes first.
 *
 * The plan is resolved when no other operation can take the lock any more, because the operation before it changes credits and
 * loads. A new operation that has to wait is refused at once when it would be refused now.
 */
async function start(
  { stores, clock }: LifecycleDeps,
  operation: Operation,
  isNew: boolean,
): Promise<Operation | undefined> {
  const { request, state } = operation;
  const takesLock = needsCampaignLock(request);
  const mustWait = state === 'accepted' && takesLock && (await stores.operations.mustWait(operation));
  if (mustWait) {
    // A reopened operation that has a plan may have moved conversations, which a refusal would hide.
    if (isNew && !operation.plan) await refuseNow(stores, request);
    return undefined;
  }
  const plan = operation.plan ?? (await resolvePlan(stores, request, true));
  const startedAt = operation.startedAt ?? clock.now();
  const started =
    state === 'accepted' ? await stores.operations.start(operation, { takesLock, plan, startedAt }) : operation;
  // A worker of an earlier version takes the lock before it stores the plan.
  const lacksPlan = started?.state === 'running' && !started.plan;
  return lacksPlan ? stores.operations.storePlan(started, plan, startedAt) : started;
}

interface Planned {
  readonly operation: Operation;
  readonly plan: Plan;
  readonly mayHaveBatches: boolean;
}

async function run(
  deps: LifecycleDeps,
  { operation, plan, mayHaveBatches }: Planned,
  controls: SliceControls,
): Promise<SliceResult> {
  const { stores } = deps;
  const { request } = operation;
  const kind = kindOf(request);
  // Ended claims are an effect, so the operation is not refused after them. The limit of the plan still holds.
  if (operation.claimsEnded === undefined) await kind.checkConfirmation?.(stores, request, plan);
  const prepared = kind.endsClaims?.(request) ? await endClaims(deps, operation, plan, controls) : operation;
  const source = kind.batchSource(stores, request, plan);
  const end = await runSlice(deps, { operation: prepared, source, mayHaveBatches }, controls);
  return end === 'unfinished' ? { kind: end, operation: prepared } : { kind: 'ended', operation: end };
}

async function endClaims(
  { stores }: LifecycleDeps,
  started: Operation,
  plan: Plan,
  { onClaimsEnded }: SliceControls,
): Promise<Operation> {
  if (started.claimsEnded !== undefined) return started;
  const { operation, claimIds } = await stores.operations.endClaimsOfSources(started, plan);
  if (claimIds.length > 0) onClaimsEnded?.(claimIds);
  return operation;
}

/** Ends the operation on a permanent error. Rethrows transient errors. */
async function endOnError(deps: LifecycleDeps, operation: Operation, error: unknown): Promise<Operation> {
  if (error instanceof Overtaken) return endIfStoppedElsewhere(deps, operation, error);
  if (!isPermanent(error)) throw error;
  return failWith(deps, operation, error);
}

/** Rethrows the error when the operation continues in another worker. */
async function endIfStoppedElsewhere(
  deps: LifecycleDeps,
  { operationId }: Operation,
  error: Overtaken,
): Promise<Operation> {
  const operation = await deps.stores.operations.find(operationId);
  const ended = operation && (await endStopped(deps, operation));
  if (!ended) throw error;
  return ended;
}
