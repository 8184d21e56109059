import { toStoredError } from '../domain/stored-error.ts';
import type { ClaimCommand } from './ports.ts';
import { claimReceipt, type Claim } from './claim.ts';
import type { Dealt, RoundClaim } from './round-rules.ts';
import { objectIds } from '../mongo/object-ids.ts';
import type { ClaimDoc } from '../mongo/documents.ts';

/** A claim in a round, with what it came from: its sending, or its document when it has been waiting. */
export interface Queued extends RoundClaim {
  readonly doc: ClaimDoc | null;
  readonly command: ClaimCommand | null;
}

/** What a round gives a claim. */
export type Granted = Dealt<Queued>;

export function fromWaiting(doc: ClaimDoc): Queued {
  return { request: doc.request, grantedBefore: doc.granted.length, doc, command: null };
}

export function fromCommand(command: ClaimCommand): Queued {
  return { request: command.request, grantedBefore: 0, doc: null, command };
}

export function newDoc({ claim, room, refusal, granted }: Granted, at: Date): ClaimDoc {
  const { request } = claim;
  return {
    _id: request.operationId,
    kind: request.kind,
    campaignId: request.campaignId,
    request,
    requestHash: claim.command?.requestHash ?? '',
    createdBySendId: claim.command?.sendId ?? '',
    state: refusal ? 'failed' : 'done',
    sequence: 0,
    granted: objectIds(granted),
    receipt: room ? claimReceipt(request, granted.length, room) : null,
    error: refusal ? toStoredError(refusal) : null,
    cancellation: null,
    acceptedAt: at,
    startedAt: at,
    endedAt: at,
  };
}

export function toClaim(doc: ClaimDoc): Claim {
  const { _id: operationId, granted, waiting, kind, ...rest } = doc;
  // An id may stand for another kind of operation, which was granted nothing.
  const ids = (granted as ClaimDoc['granted'] | undefined) ?? [];
  return { operationId, ...rest, granted: ids.map((id) => id.toHexString()), waiting: waiting ?? null };
}
