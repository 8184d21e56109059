/** Facts that decide whether a database is ready for work. */
export interface DatabaseFacts {
  readonly version: string;
  /** The name of the replica set. `null` for a single server, which has no transactions. */
  readonly replicaSet: string | null;
  /** Indexes that Baton needs and the database lacks, as `collection.name`. */
  readonly missingIndexes: readonly string[];
  /** One sentence for each index that differs from what Baton needs, with the remedy. */
  readonly indexConflicts: readonly string[];
  readonly indexCount: number;
}

export interface HealthStore {
  readFacts(): Promise<DatabaseFacts>;
}

/** Facts about Redis, and the state of every queue. */
export interface QueueFacts {
  readonly version: string;
  /** Must be `noeviction`, or Redis may remove jobs. */
  readonly maxmemoryPolicy: string;
  /** Without an append-only file, a restart of Redis loses all jobs. */
  readonly appendOnly: boolean;
  readonly queues: readonly QueueState[];
}

export interface QueueState {
  readonly name: string;
  /** The number of worker processes that are connected to the queue. */
  readonly workers: number;
  /** The number of jobs in each state of BullMQ. */
  readonly counts: Readonly<Record<string, number>>;
}
