import type { Claim, ClaimQueue } from '../claims/index.ts';
import type { DatabaseAge } from '../domain/database-age.ts';
import { isClaim, type Operation, type OperationOrClaim, type OperationQueue } from '../operations/index.ts';
import type { RedisConnection } from '../queue/connection.ts';
import type { KnownAmong } from '../queue/ended-jobs.ts';
import type { JobRepair } from '../queue/job-state.ts';
import { noteAge, readOwner, type QueueOwner, type WentBack } from '../queue/queue-owner.ts';
import type { LostJobs } from './lost-jobs.ts';
import type { QueueMemory, ReconciledJobs } from './ports.ts';

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

export interface QueueMemoryParts {
  readonly redis: RedisConnection;
  readonly prefix: string;
  readonly databaseId: string;
  readonly operations: OperationQueue;
  readonly claims: ClaimQueue;
}

/** What Redis remembers of the database, and the answers in both queues. */
export class RedisQueueMemory implements QueueMemory {
  private readonly parts: QueueMemoryParts;

  constructor(parts: QueueMemoryParts) {
    this.parts = parts;
  }

  read(): Promise<QueueOwner | null> {
    return readOwner(this.parts.redis, this.parts.prefix);
  }

  noteAge(age: DatabaseAge, wentBack: WentBack | null): Promise<void> {
    const { redis, prefix, databaseId } = this.parts;
    return noteAge(redis, prefix, { databaseId, age, wentBack });
  }

  async forgetUnknown(knownAmong: KnownAmong): Promise<number> {
    const { operations, claims } = this.parts;
    return (await operations.forgetUnknown(knownAmong)) + (await claims.forgetUnknown(knownAmong));
  }
}
