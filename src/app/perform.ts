import { statusesOf } from '../domain/conversation.ts';
import { isPermanent, otherRequest, Refusal } from '../domain/errors.ts';
import { failedAttempt } from '../domain/failure.ts';
import { GIVEN_UP, isEnded, type Operation, type OperationError, type Plan } from '../domain/operation.ts';
import { totalUp } from '../domain/receipt.ts';
import { isBulk, type OperationRequest, type UnassignRequest } from '../domain/request.ts';
import type { Clock, Ending, Stores } from './ports.ts';
import { resolvePlan } from './resolve-plan.ts';
import { runSlice, type SliceControls } from './run-slice.ts';

/** A checked request, as it comes out of the queue. */
export interface OperationCommand {
  readonly request: OperationRequest;
  readonly requestHash: string;
  /** Tells this sending of the request from any other. */
  readonly sentBy: string;
}

/**
 * What one turn at an operation came to. `waiting`: another operation of its campaign goes first.
 * `yielded`: there is more to do, after others had their turn.
 */
export interface Performed {
  readonly kind: 'ended' | 'waiting' | 'yielded';
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
  const accepted = await accept(deps, command);
  if (isEnded(accepted.state)) return { kind: 'ended', operation: accepted };
  // Somebody began to end it as failed, and got no further.
  if (accepted.error) return { kind: 'ended', operation: await endFailed(deps, accepted, accepted.error) };
  try {
    const running = await begin(deps, accepted);
    if (!running) return { kind: 'waiting', operation: accepted };
    if (isEnded(running.state) || !running.plan) return { kind: 'ended', operation: running };
    await checkConfirmation(deps.stores, running);
    const end = await runSlice(deps.stores, running, running.plan, controls);
    if (!end.finished) return { kind: 'yielded', operation: running };
    return { kind: 'ended', operation: await finish(deps, running, running.plan, end.nextUp) };
  } catch (error) {
    if (!isPermanent(error)) throw error;
    return { kind: 'ended', operation: await failWith(deps, accepted, error) };
  }
}

async function accept({ stores, clock }: PerformDeps, command: OperationCommand): Promise<Operation> {
  const { request, requestHash } = command;
  const known = await stores.operations.find(request.operationId);
  if (known) return sameRequest(known, requestHash);
  const accepted = await stores.operations.accept({
    operationId: request.operationId,
    campaignId: request.campaignId,
    request,
    requestHash,
    madeBy: command.sentBy,
    state: 'accepted',
    plan: null,
    receipt: null,
    error: null,
    acceptedAt: clock.now(),
    startedAt: null,
    endedAt: null,
  });
  return sameRequest(accepted, requestHash);
}

function sameRequest(known: Operation, requestHash: string): Operation {
  if (known.requestHash === requestHash) return known;
  throw otherRequest(known.operationId);
}

/**
 * `undefined`: it is not this operation's turn. The plan is made once it is: what it rests on (whose turn the dealing
 * is, what each holds) is what the operation ahead has left. One that has to wait is refused all the same if it can be.
 */
async function begin({ stores, clock }: PerformDeps, operation: Operation): Promise<Operation | undefined> {
  const started = operation.state === 'running' ? operation : await stores.operations.start(operation);
  if (started && (started.plan || isEnded(started.state))) return started;
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
    throw new Refusal('confirmation-needed', { expected: `confirmation of ${real} to unassign`, got: 'none' });
  }
  if (real > request.confirm) {
    throw new Refusal('confirmation-drifted', {
      expected: `${request.confirm} to unassign, as confirmed`,
      got: `${real}`,
    });
  }
}

async function finish(deps: PerformDeps, operation: Operation, plan: Plan, nextUp: string | null): Promise<Operation> {
  if (nextUp !== null) await rotate(deps.stores, operation, plan, nextUp);
  return endWith(deps, operation, { state: 'done' });
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
    ? { code: error.code, message: error.message }
    : { code: GIVEN_UP, message: failedAttempt(error, deps.clock.now()).message };
  // First of all: whoever carries on after a crash must not take a stopped operation for a finished one.
  await deps.stores.operations.noteError(operation, noted);
  return endFailed(deps, operation, noted);
}

async function endFailed(deps: PerformDeps, operation: Operation, error: OperationError): Promise<Operation> {
  await deps.stores.batches.stop(operation);
  return endWith(deps, operation, { state: 'failed', error });
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
  const receipt = totalUp(moves, skipped, { asked, ended: ended.state === 'done' });
  return stores.operations.end(operation, { ...ended, at: clock.now(), receipt });
}
