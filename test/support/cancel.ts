import { cancel } from '../../src/app/cancel.ts';
import type { Stores } from '../../src/app/ports.ts';
import type { CancelRequest } from '../../src/domain/cancel.ts';
import type { Recorded } from '../../src/domain/undo.ts';

/** The worker's work without its queue: an operation that was only sent is not known. */
export function cancelAt(stores: Stores, { operationId, campaignId }: CancelRequest): Promise<Recorded> {
  const findSent = (): Promise<undefined> => Promise.resolve(undefined);
  return cancel({ stores, clock: { now: () => new Date() }, findSent }, { operationId, campaignId });
}
