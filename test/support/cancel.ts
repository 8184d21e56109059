import { cancel } from '../../src/operations/cancel.ts';
import type { CancelRequest } from '../../src/operations/contract.ts';
import type { OperationOrClaim } from '../../src/operations/operation.ts';
import type { Stores } from '../../src/operations/ports.ts';

/** Cancels an operation without a queue, so one that no worker has accepted is unknown. */
export function cancelAt(stores: Stores, { operationId, campaignId }: CancelRequest): Promise<OperationOrClaim> {
  const findSent = (): Promise<undefined> => Promise.resolve(undefined);
  return cancel({ stores, clock: { now: () => new Date() }, findSent }, { operationId, campaignId });
}
