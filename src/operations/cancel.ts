import { operationEnded, type CancelRequest } from './cancel-request.ts';
import type { Claim } from '../claims/index.ts';
import { unknownOperation } from '../domain/errors.ts';
import { isEnded, type Cancellation } from '../domain/operation.ts';
import { type Run } from './operation.ts';
import { isClaim, type Recorded } from './undo-rules.ts';
import type { OperationCommand } from './operation-command.ts';
import { accept, endAsNoted, type PerformDeps } from './lifecycle.ts';

export interface CancelDeps extends PerformDeps {
  /** The operation as it was sent, when no worker has begun with it: then the ledger does not know it yet. */
  readonly findSent: (operationId: string) => Promise<OperationCommand | undefined>;
}

/**
 * Ends an operation where it is, with a receipt of what had moved, or a waiting claim with what it has. Returns it as it
 * was cancelled, by this or an earlier request: safe to repeat. Throws a `Refusal` for what is unknown or ended otherwise.
 *
 * It is noted first, so that whoever carries on after a crash ends it as cancelled. Then the list of its batches is
 * closed and what is planned is dropped: whoever runs it sees the note before its next batch, or meets one of the two.
 */
export async function cancel(deps: CancelDeps, request: CancelRequest): Promise<Recorded> {
  const recorded = await find(deps, request);
  const { actorId, reason } = request;
  const cancellation = { by: actorId ?? null, reason: reason ?? null, at: deps.clock.now() };
  const ended = isClaim(recorded)
    ? await cancelClaim(deps, recorded, cancellation)
    : await cancelOperation(deps, recorded, cancellation);
  if (!isEnded(ended.state)) {
    // Reopened since it was looked at: the next attempt finds the new run.
    throw new Error(`expected operation ${ended.operationId} to have ended, got ${ended.state}`);
  }
  if (ended.state !== 'cancelled') throw operationEnded(ended);
  return ended;
}

async function find(deps: CancelDeps, { operationId, campaignId }: CancelRequest): Promise<Recorded> {
  const recorded = await deps.stores.operations.findRecorded(operationId);
  if (recorded?.campaignId === campaignId) return recorded;
  const sent = recorded ? undefined : await deps.findSent(operationId);
  if (sent?.request.campaignId !== campaignId) throw unknownOperation(operationId);
  return accept(deps, sent);
}

async function cancelOperation(deps: CancelDeps, run: Run, cancellation: Cancellation): Promise<Recorded> {
  const standing = await deps.stores.operations.noteCancellation(run, cancellation);
  return (await endAsNoted(deps, standing)) ?? standing;
}

async function cancelClaim({ stores }: CancelDeps, claim: Claim, cancellation: Cancellation): Promise<Recorded> {
  return (await stores.claims.endWaiting(claim.operationId, cancellation)) ?? claim;
}
