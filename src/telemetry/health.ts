/** What there is to know of a database before work is entrusted to it. */
export interface DatabaseFacts {
  readonly version: string;
  /** Transactions need a replica set or a cluster of them. */
  readonly replicaSet: string | null;
  /** Indexes that should be there, as `collection.name`. */
  readonly missingIndexes: readonly string[];
  /** One sentence for each index that differs from what Baton needs, with the remedy. */
  readonly indexConflicts: readonly string[];
  readonly indexCount: number;
}

export interface HealthStore {
  readFacts(): Promise<DatabaseFacts>;
}

export interface QueueFacts {
  readonly version: string;
  readonly maxmemoryPolicy: string;
  readonly appendOnly: boolean;
  readonly queues: readonly QueueState[];
}

export interface QueueState {
  readonly name: string;
  readonly workers: number;
  readonly counts: Readonly<Record<string, number>>;
}
