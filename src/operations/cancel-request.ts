import { Refusal, shown } from '../domain/errors.ts';
import type { OperationRecord } from '../domain/operation.ts';

/** Asks that an operation, or a claim that waits, stop where it is. */
export interface CancelRequest {
  /** The id of what is to stop. */
  readonly operationId: string;
  readonly campaignId: string;
  /** Who asks, in the upstream app's own terms (an opaque id, never a name). */
  readonly actorId?: string | undefined;
  readonly reason?: string | undefined;
}

/** Only what has not ended can stop: what has moved is taken back by an undo. */
export function operationEnded({ operationId, state }: OperationRecord<unknown>): Refusal {
  return new Refusal('operation-ended', {
    expected: 'an operation that has not ended, to cancel it',
    received: `${shown(operationId)}, ${state}`,
  });
}
