import { statusesOf } from '../domain/conversation.ts';
import { isPermanent, operationConflict, Refusal } from '../domain/errors.ts';
import { toStoredError } from '../domain/stored-error.ts';
import { failedAttempt } from '../domain/failed-attempt.ts';
import { ATTEMPTS_EXHAUSTED, isEnded } from '../domain/operation.ts';
import { type Operation, type Plan } from './operation.ts';
import { sumOf, totalUp } from '../domain/receipt.ts';
import { isBulk, type UnassignRequest } from './request.ts';
import { countLeft } from './count-left.ts';
import { moveOne } from './move-one.ts';
import { newOperation, type OperationCommand } from './operation-command.ts';
import { Overtaken, type Ending, type Stores } from './ports.ts';
import { type Clock } from '../domain/clock.ts';
import { resolvePlan } from './resolve-plan.ts';
import { runSlice, type SliceControls } from './run-slice.ts';

/**
 * What one turn at an operation came to. `waiting`: another operation of its campaign goes first.
 * `yielded`: there is more to do, after others had their turn.
 */
export interface Performed {
  readonly kind: 'ended' | 'waiting' | 'requeued';
  readonly operation: Operation;
}

export interface PerformDeps {
  readonly stores: Stores;
  readonly clock: Clock;
}

/**
 * Accepts an operation, or meets it again, and carries it on by one slice.
 *
 * Safe to run any number of times and by several workers at once: every step is either recorded under the operation's
 * id or guarded by it. Throws a `Refusal` only when the id stands for another request; every other refusal ends the
 * operation as failed. What else it throws is weather: run it again.
 */
export async function perform(
  deps: PerformDeps,
  command: OperationCommand,
  controls: SliceControls,
): Promise<Performed> {
  const operation = (await moveOne(deps, command)) ?? (await accept(deps, command));
  // It has ended, or somebody began to end it as failed or cancelled and got no further.
  const ended = await endAsNoted(deps, operation);
  if (ended) return { kind: 'ended', operation: ended };
  try {
    return await carryOn(deps, operation, controls);
  } catch (error) {
    return { kind: 'ended', operation: await endFor(deps, operation, error) };
  }
}

async function carryOn(deps: PerformDeps, accepted: Operation, controls: SliceControls): Promise<Performed> {
  const running = await begin(deps, accepted);
  if (!running) return { kind: 'waiting', operation: accepted };
  const ended = await endAsNoted(deps, running);
  if (ended || !running.plan) return { kind: 'ended', operation: ended ?? running };
  await checkConfirmation(deps.stores, running);
  const end = await runSlice(deps.stores, running, running.plan, controls);
  if (!end.finished) return { kind: 'requeued', operation: running };
  return { kind: 'ended', operation: await finish(deps, running, running.plan, end.nextUp) };
}

/** Ends it, if what was met means that it ends. Throws it when it is weather. */
async function endFor(deps: PerformDeps, operation: Operation, met: unknown): Promise<Operation> {
  if (met instanceof Overtaken) return stepBack(deps, operation, met);
  if (!isPermanent(met)) throw met;
  return failWith(deps, operation, met);
}

/** Somebody else ended it meanwhile, or is about to. Throws what it met when that is not so. */
async function stepBack(deps: PerformDeps, { operationId }: Operation, met: Overtaken): Promise<Operation> {
  const operation = await deps.stores.operations.find(operationId);
  const ended = operation && (await endAsNoted(deps, operation));
  if (!ended) throw met;
  return ended;
}

/** Records an operation, or returns the one that its id stands for. Throws a `Refusal` when that is another request. */
export async function accept({ stores, clock }: PerformDeps, command: OperationCommand): Promise<Operation> {
  const { request, requestHash } = command;
  const known = await stores.operations.find(request.operationId);
  if (known) return sameRequest(known, requestHash);
  return sameRequest(await stores.operations.accept(newOperation(command, clock.now())), requestHash);
}

function sameRequest(known: Operation, requestHash: string): Operation {
  if (known.requestHash === requestHash) return known;
  throw operationConflict(known.operationId);
}

/**
 * `undefined`: it is not this operation's turn. The plan is made once it is: what it rests on (whose turn the dealing
 * is, what each holds) is what the operation ahead has left. One that has to wait is refused all the same if it can be.
 */
async function begin({ stores, clock }: PerformDeps, operation: Operation): Promise<Operation | undefined> {
  const started = operation.state === 'running' ? operation : await stores.operations.start(operation);
  if (started && (started.plan || isEnded(started.state))) return started;
  // Reopened, it goes on by the plan it has: to refuse it now would be to say that it moved nothing.
  if (operation.plan) return undefined;
  const plan = await resolvePlan(stores, operation.request);
  return started && stores.operations.keepPlan(operation.operationId, plan, clock.now());
}

/**
 * Unassigning all wants the number that its caller saw. Checked once it is this operation's turn, until its first batch
 * is planned; from then on the plan's limit keeps it from ever moving more than was confirmed.
 */
async function checkConfirmation(stores: Stores, { operationId, campaignId, request, plan }: Operation): Promise<void> {
  if (request.kind !== 'unassign' || request.count !== undefined) return;
  if ((await stores.batches.recent(operationId, 1)).length > 0) return;
  const real = await stores.conversations.count(campaignId, plan?.sources ?? [], statusesOf(request.status));
  refuseUnconfirmed(request, real);
}

export function refuseUnconfirmed(request: UnassignRequest, real: number): void {
  if (request.confirm === undefined) {
    throw new Refusal('confirmation-needed', { expected: `confirmation of ${real} to unassign`, received: 'none' });
  }
  if (real > request.confirm) {
    throw new Refusal('confirmation-drifted', {
      expected: `${request.confirm} to unassign, as confirmed`,
      received: `${real}`,
    });
  }
}

async function finish(deps: PerformDeps, operation: Operation, plan: Plan, nextUp: string | null): Promise<Operation> {
  if (nextUp !== null) await rotate(deps.stores, operation, plan, nextUp);
  const ended = await endWith(deps, operation, { state: 'done' });
  // Noted meanwhile to end otherwise: its list was closed by whoever stopped it.
  return (await endAsNoted(deps, ended)) ?? ended;
}

/** Before the end is recorded, so that a crash in between repeats it rather than leaves it out. */
async function rotate(stores: Stores, operation: Operation, plan: Plan, nextUp: string): Promise<void> {
  if (plan.targets.length < 2) return;
  const texters = await stores.texters.list(operation.campaignId);
  const next = texters.find((texter) => texter.texterId === nextUp);
  if (next) await stores.campaigns.keepRotation(operation.campaignId, operation.sequence, next.joinedOrder);
}

/** Ends an operation for good, with a receipt of whatever had moved. */
export async function failWith(deps: PerformDeps, operation: Operation, error: Error): Promise<Operation> {
  const noted = isPermanent(error)
    ? toStoredError(error)
    : {
        code: ATTEMPTS_EXHAUSTED,
        message: failedAttempt(error, deps.clock.now()).message,
        expected: null,
        received: null,
      };
  // First of all: whoever carries on after a crash must not take a stopped operation for a finished one.
  const standing = await deps.stores.operations.noteError(operation, noted);
  return (await endAsNoted(deps, standing)) ?? standing;
}

/** Stops an operation that is noted to fail or to be cancelled; `undefined` when it is to go on. */
export async function endAsNoted(deps: PerformDeps, operation: Operation): Promise<Operation | undefined> {
  const { error, cancellation, state } = operation;
  if (isEnded(state)) return operation;
  if (!error && !cancellation) return undefined;
  await deps.stores.batches.stop(operation);
  return endWith(deps, operation, error ? { state: 'failed', error } : { state: 'cancelled' });
}

/** Whatever ends it, nobody who still believes it to be running can plan or apply another batch of it. */
async function endWith(
  { stores, clock }: PerformDeps,
  operation: Operation,
  ended: Pick<Ending, 'state' | 'error'>,
): Promise<Operation> {
  const { moves, skipped } = await stores.batches.totals(operation.operationId);
  const { request } = operation;
  const asked = isBulk(request) ? (request.count ?? null) : null;
  const left = ended.state === 'cancelled' ? { left: await countLeft(stores, operation, sumOf(moves)) } : {};
  const receipt = totalUp(moves, skipped, { asked, ended: ended.state === 'done', ...left });
  return stores.operations.end(operation, { ...ended, at: clock.now(), receipt });
}
