import { randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Database } from './database.ts';
import { isDuplicateKey } from './server-errors.ts';
import type { Migration } from './migrations.ts';
import { Refusal } from '../domain/errors.ts';

export interface LockTimes {
  /** A lock that was not renewed for this long is free again: its process has died. */
  readonly lockMs: number;
  /** How long to wait for the lock of another process. */
  readonly waitMs: number;
  readonly pollMs: number;
}

export const LOCK_TIMES: LockTimes = { lockMs: 30_000, waitMs: 600_000, pollMs: 500 };

const RENEWALS_PER_LOCK = 3;

/** Lets one process migrate a database at a time. */
export class MigrationLock {
  private readonly database: Database;
  private readonly times: LockTimes;
  private readonly owner = randomUUID();
  private renewing: NodeJS.Timeout | undefined;

  constructor(database: Database, times: LockTimes) {
    this.database = database;
    this.times = times;
  }

  /** Waits for the lock. `onWait` is called once if another process holds it. */
  async acquire(onWait: () => void): Promise<void> {
    const deadline = performance.now() + this.times.waitMs;
    for (let isFirst = true; !(await this.tryAcquire()); isFirst = false) {
      if (isFirst) onWait();
      if (performance.now() > deadline) throw migrationRunning(this.times.waitMs);
      await sleep(this.times.pollMs);
    }
    const everyMs = this.times.lockMs / RENEWALS_PER_LOCK;
    // A failed renewal needs no handling: `record` writes nothing once another process has the lock.
    this.renewing = setInterval(() => void this.renew().catch(() => undefined), everyMs).unref();
  }

  /** Stores that a migration is complete. Throws if another process has taken over the lock in the meantime. */
  async record({ version, name, oldestCodeVersion }: Migration): Promise<void> {
    const { matchedCount } = await this.database.schema.updateOne(
      { _id: 'schema', 'lock.owner': this.owner },
      {
        $max: { version, oldestCodeVersion },
        $push: { applied: { version, name, at: this.database.now() } },
      },
    );
    if (matchedCount === 0) throw new Error('another process has taken over the migration: this one was too slow');
  }

  /** Never throws, so that it cannot hide the error of a migration. A lock that was not released ends after `lockMs`. */
  async release(): Promise<void> {
    clearInterval(this.renewing);
    const filter = { _id: 'schema', 'lock.owner': this.owner } as const;
    await this.database.schema.updateOne(filter, { $unset: { lock: '' } }).catch(() => undefined);
  }

  private async tryAcquire(): Promise<boolean> {
    const now = this.database.now();
    const isFree = { $or: [{ lock: { $exists: false } }, { 'lock.until': { $lte: now } }] };
    const update = {
      $set: { lock: { owner: this.owner, until: this.until() } },
      $setOnInsert: { version: 0, oldestCodeVersion: 0, applied: [] },
    };
    try {
      await this.database.schema.updateOne({ _id: 'schema', ...isFree }, update, { upsert: true });
      return true;
    } catch (error) {
      // The document exists, and its lock is not free: the upsert tried to insert a second one.
      if (isDuplicateKey(error)) return false;
      throw error;
    }
  }

  private async renew(): Promise<void> {
    const filter = { _id: 'schema', 'lock.owner': this.owner } as const;
    await this.database.schema.updateOne(filter, { $set: { 'lock.until': this.until() } });
  }

  private until(): Date {
    return new Date(this.database.now().getTime() + this.times.lockMs);
  }
}

function migrationRunning(waitMs: number): Refusal {
  return new Refusal('migration-running', {
    message: `another migration of this database did not end within ${waitMs / 1_000} s`,
    expected: 'no other migration of this database',
    received: 'a running migration',
  });
}
