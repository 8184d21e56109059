import type { Revival, SweptJobs, Unfinished } from './ports.ts';
import type { Claim } from '../claims/claim.ts';
import type { ClaimQueue } from '../claims/claim-queue.ts';
import type { OperationQueue } from '../operations/operation-queue.ts';

/** Both queues that hold what somebody asked for, as the sweep sees them. */
export class SweptQueues implements SweptJobs {
  private readonly operations: OperationQueue;
  private readonly claims: ClaimQueue;

  constructor(operations: OperationQueue, claims: ClaimQueue) {
    this.operations = operations;
    this.claims = claims;
  }

  revive(unfinished: Unfinished, isUnfinished: () => Promise<boolean>): Promise<Revival> {
    if (unfinished.claim) return this.claims.revive(unfinished.claim, isUnfinished);
    return this.operations.revive(unfinished.operation, isUnfinished);
  }

  answer(claim: Claim): Promise<void> {
    return this.claims.answer(claim);
  }

  poolRefilled(campaignId: string): Promise<void> {
    return this.claims.poolRefilled(campaignId);
  }

  async forget(operationIds: readonly string[]): Promise<void> {
    await Promise.all(operationIds.flatMap((id) => [this.operations.forget(id), this.claims.forget(id)]));
  }
}
