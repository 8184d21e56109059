import { cancel } from '../../src/operations/cancel.ts';
import type { Stores } from '../../src/operations/ports.ts';
import type { CancelRequest } from '../../src/operations/contract.ts';
import type { OperationOrClaim } from '../../src/operations/operation.ts';

/** The worker's work without its queue: an operation that was only sent is not known. */
export function cancelAt(stores: Stores, { operationId, campaignId }: CancelRequest): Promise<OperationOrClaim> {
  const findSent = (): Promise<undefined> => Promise.resolve(undefined);
  return cancel({ stores, clock: { now: () => new Date() }, findSent }, { operationId, campaignId });
}
