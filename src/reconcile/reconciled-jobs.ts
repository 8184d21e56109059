import type { Claim, ClaimQueue } from '../claims/index.ts';
import { isClaim, type Operation, type OperationOrClaim, type OperationQueue } from '../operations/index.ts';
import type { JobRepair } from '../queue/job-state.ts';
import type { LostJobs } from './lost-jobs.ts';
import type { ReconciledJobs } from './ports.ts';

/** Passes each change on to the queue of operations or the queue of claims. */
export class ReconciledQueues implements ReconciledJobs {
  private readonly operations: OperationQueue;
  private readonly claims: ClaimQueue;
  private readonly lost: LostJobs;

  constructor(operations: OperationQueue, claims: ClaimQueue, lost: LostJobs) {
    this.operations = operations;
    this.claims = claims;
    this.lost = lost;
  }

  restoreLost(): Promise<number> {
    return this.lost.restore();
  }

  ensureJob(unfinished: OperationOrClaim, isUnfinished: () => Promise<boolean>): Promise<JobRepair> {
    if (isClaim(unfinished)) return this.claims.ensureJob(unfinished, isUnfinished);
    return this.operations.ensureJob(unfinished, isUnfinished);
  }

  wake(operation: Operation): Promise<void> {
    return this.operations.wake(operation);
  }

  answer(claim: Claim): Promise<boolean> {
    return this.claims.answer(claim);
  }

  poolRefilled(campaignId: string): Promise<void> {
    return this.claims.poolRefilled(campaignId);
  }

  async forget(operationIds: readonly string[]): Promise<void> {
    await Promise.all(operationIds.flatMap((id) => [this.operations.forget(id), this.claims.forget(id)]));
  }
}
