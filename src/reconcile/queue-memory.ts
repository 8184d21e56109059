import type { ClaimQueue } from '../claims/index.ts';
import type { DatabaseAge } from '../domain/database-age.ts';
import type { OperationQueue } from '../operations/index.ts';
import type { RedisConnection } from '../queue/connection.ts';
import type { KnownAmong } from '../queue/ended-jobs.ts';
import { noteAge, readOwner, type QueueOwner, type WentBack } from '../queue/queue-owner.ts';
import type { QueueMemory } from './ports.ts';

export interface QueueMemoryParts {
  readonly redis: RedisConnection;
  readonly prefix: string;
  readonly databaseId: string;
  readonly operations: OperationQueue;
  readonly claims: ClaimQueue;
}

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
