import type { Claim, ClaimQueue } from '../claims/index.ts';
import type { OperationQueue } from '../operations/index.ts';
import type { JobRepair } from '../queue/job-state.ts';
import type { AnyUnfinished, ReconciledJobs } from './ports.ts';

/** Passes each change on to the queue of operations or the queue of claims. */
export class ReconciledQueues implements ReconciledJobs {
  private readonly operations: OperationQueue;
  private readonly claims: ClaimQueue;

  constructor(operations: OperationQueue, claims: ClaimQueue) {
    this.operations = operations;
    this.claims = claims;
  }

  ensureJob(unfinished: AnyUnfinished, isUnfinished: () => Promise<boolean>): Promise<JobRepair> {
    if (unfinished.claim) return this.claims.ensureJob(unfinished.claim, isUnfinished);
    return this.operations.ensureJob(unfinished.operation, isUnfinished);
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
