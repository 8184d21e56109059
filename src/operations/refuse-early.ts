import { operationConflict } from '../domain/errors.ts';
import type { Plan } from './operation.ts';
import type { OperationRequest } from './request.ts';
import type { Stores } from './ports.ts';
import { resolvePlan } from './resolve-plan.ts';

/**
 * Throws the `Refusal` that a request would meet if its turn came now, before it is sent: whoever asks hears it at once
 * and nothing is recorded. Returns the plan, or `undefined` when the operation exists and its answer is all that is
 * wanted. What changes until the real turn is evaluated there again.
 */
export async function refuseEarly(
  stores: Stores,
  request: OperationRequest,
  requestHash: string,
): Promise<Plan | undefined> {
  const known = await stores.operations.find(request.operationId);
  if (!known) return resolvePlan(stores, request);
  if (known.requestHash === requestHash) return undefined;
  throw operationConflict(known.operationId);
}
