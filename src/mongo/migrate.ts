import type { Database } from './database.ts';
import { LOCK_TIMES, MigrationLock, type LockTimes } from './migration-lock.ts';
import { MIGRATIONS, type Migration } from './migrations.ts';
import { readSchemaVersion, refuseOldCode, versionOf } from './schema-version.ts';

export interface MigrateOptions {
  readonly migrations?: readonly Migration[];
  readonly times?: Partial<LockTimes>;
  /** Called before and after each step. Default: no log. */
  readonly log?: (line: string) => void;
}

/** A migration that has work to do. */
export interface PendingMigration extends Pick<Migration, 'version' | 'name'> {
  readonly changes: readonly string[];
}

export interface MigrationReport {
  /** The schema version of the database before and after. */
  readonly from: number;
  readonly to: number;
  readonly migrations: readonly PendingMigration[];
}

/** Lists what {@link migrate} would do. Writes nothing and takes no lock. */
export async function planMigrations(
  database: Database,
  migrations: readonly Migration[] = MIGRATIONS,
): Promise<MigrationReport> {
  const found = await readSchemaVersion(database);
  refuseOldCode(found, versionOf(migrations));
  const pending: PendingMigration[] = [];
  for (const migration of migrations) {
    const isNew = migration.version > found.version;
    if (!isNew && migration.isRepeated !== true) continue;
    const changes = await migration.plan(database);
    if (isNew || changes.length > 0) pending.push({ version: migration.version, name: migration.name, changes });
  }
  return { from: found.version, to: Math.max(found.version, versionOf(migrations)), migrations: pending };
}

/** Brings the schema of a database to the version of this code. Does nothing if there is nothing to do. */
export async function migrate(database: Database, options: MigrateOptions = {}): Promise<MigrationReport> {
  const { migrations = MIGRATIONS, times, log = () => undefined } = options;
  const planned = await planMigrations(database, migrations);
  if (planned.migrations.length === 0) return planned;
  const lock = new MigrationLock(database, { ...LOCK_TIMES, ...times });
  await lock.acquire(() => log('another migration of this database is running: waiting until it ends'));
  try {
    // Planned again: another process may have migrated while this one waited for the lock.
    const report = await planMigrations(database, migrations);
    const pending = new Set(report.migrations.map(({ version }) => version));
    for (const migration of migrations) {
      if (pending.has(migration.version)) await runStep(database, migration, lock, log);
    }
    return report;
  } finally {
    await lock.release();
  }
}

async function runStep(
  database: Database,
  migration: Migration,
  lock: MigrationLock,
  log: (line: string) => void,
): Promise<void> {
  const step = `migration ${migration.version} (${migration.name})`;
  log(`${step}: start`);
  const startedAt = performance.now();
  await migration.run(database);
  await lock.record(migration);
  log(`${step}: done after ${Math.round(performance.now() - startedAt)} ms`);
}
