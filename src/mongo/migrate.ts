import { Refusal } from '../domain/errors.ts';
import type { Database } from './database.ts';
import { LAYOUT } from './indexes.ts';
import { changeLayout, readLayout } from './layout.ts';
import { changesOf, layoutAfter, planStep, type Layout, type StepPlan } from './layout-plan.ts';
import { LOCK_TIMES, MigrationLock, type LockTimes } from './migration-lock.ts';
import { MIGRATIONS, ownIndexesOf, type Migration } from './migrations.ts';
import { readSchemaVersion, refuseOldCode, versionOf } from './schema-version.ts';

/** What a version of the code needs. Tests pass other migrations. */
export interface SchemaTarget {
  readonly migrations: readonly Migration[];
  /** The layout after all migrations. */
  readonly layout: Layout;
}

const CURRENT: SchemaTarget = { migrations: MIGRATIONS, layout: LAYOUT };

export interface PlannedChanges {
  readonly changes: readonly string[];
  /** Objects of another program that prevent the changes, each with the remedy. With one of them nothing is changed. */
  readonly conflicts: readonly string[];
}

export interface PendingMigration extends PlannedChanges, Pick<Migration, 'version' | 'name'> {}

export interface MigrationReport {
  /** The schema version of the database before and after. */
  readonly from: number;
  readonly to: number;
  readonly migrations: readonly PendingMigration[];
  /** Collections and indexes that got lost, for example when the database was restored from a copy. */
  readonly repair: PlannedChanges;
}

interface Step {
  readonly migration: Migration;
  readonly plan: StepPlan;
}

interface Plan {
  readonly from: number;
  readonly to: number;
  readonly steps: readonly Step[];
  readonly repair: StepPlan;
}

/** Lists what {@link migrate} would do. Writes nothing and takes no lock. */
export async function planMigrations(database: Database, target = CURRENT): Promise<MigrationReport> {
  return toReport(await makePlan(database, target));
}

export interface MigrateOptions {
  readonly target?: SchemaTarget;
  readonly times?: Partial<LockTimes>;
  /** Called before and after each step. Default: no log. */
  readonly log?: (line: string) => void;
}

/**
 * Brings the schema of a database to the version of this code. Does nothing if there is nothing to do. Throws a
 * `schema-conflict` refusal before it changes anything if objects of another program prevent one of the changes.
 */
export async function migrate(database: Database, options: MigrateOptions = {}): Promise<MigrationReport> {
  const { target = CURRENT, times, log = () => undefined } = options;
  const before = await makePlan(database, target);
  refuseConflicts(before);
  if (isEmpty(before)) return toReport(before);
  const lock = new MigrationLock(database, { ...LOCK_TIMES, ...times });
  await lock.acquire(() => log('another migration of this database is running: waiting until it ends'));
  try {
    // Planned again: another process may have migrated while this one waited for the lock.
    const plan = await makePlan(database, target);
    refuseConflicts(plan);
    await runPlan(database, plan, lock, log);
    return toReport(plan);
  } finally {
    await lock.release();
  }
}

/** Plans each step for the layout that the steps before it leave, so that a dry run lists what a run would do. */
async function makePlan(database: Database, { migrations, layout }: SchemaTarget): Promise<Plan> {
  const { version: from, oldestCodeVersion } = await readSchemaVersion(database);
  const codeVersion = versionOf(migrations);
  refuseOldCode({ oldestCodeVersion }, codeVersion);
  const ownIndexes = ownIndexesOf(migrations);
  let state = await readLayout(database);
  const steps = migrations
    .filter(({ version }) => version > from)
    .map((migration) => {
      const plan = planStep(state, migration, ownIndexes);
      state = layoutAfter(state, plan);
      return { migration, plan };
    });
  // This code does not know the layout of a newer schema.
  const repair = planStep(state, from > codeVersion ? {} : layout, ownIndexes);
  const known = steps.flatMap(({ plan }) => plan.conflicts);
  const conflicts = repair.conflicts.filter((conflict) => !known.includes(conflict));
  return { from, to: Math.max(from, codeVersion), steps, repair: { ...repair, conflicts } };
}

async function runPlan(
  database: Database,
  plan: Plan,
  lock: MigrationLock,
  log: (line: string) => void,
): Promise<void> {
  const { from, to, steps, repair } = plan;
  const runStep = async ({ migration, plan: changes }: Step): Promise<void> => {
    await changeLayout(database, changes);
    await migration.documents?.run(database, log);
    await lock.record(migration);
  };
  if (from === 0) {
    await logged(`creation of the schema, version ${to}`, log, async () => {
      for (const step of steps) await runStep(step);
    });
  } else {
    for (const step of steps) {
      const { version, name } = step.migration;
      await logged(`migration ${version} (${name})`, log, () => runStep(step));
    }
  }
  if (changesOf(repair).length > 0) {
    await logged('repair of lost collections and indexes', log, () => changeLayout(database, repair));
  }
}

async function logged(step: string, log: (line: string) => void, run: () => Promise<void>): Promise<void> {
  log(`${step}: start`);
  const startedAt = performance.now();
  await run();
  log(`${step}: done after ${Math.round(performance.now() - startedAt)} ms`);
}

function isEmpty({ steps, repair }: Plan): boolean {
  return steps.length === 0 && changesOf(repair).length === 0;
}

function refuseConflicts({ steps, repair }: Plan): void {
  const conflicts = [...steps.map(({ plan }) => plan), repair].flatMap((plan) => plan.conflicts);
  if (conflicts.length === 0) return;
  const expected = 'collections and indexes as Baton creates them';
  const received = conflicts.join('; ');
  throw new Refusal('schema-conflict', { message: received, expected, received });
}

function toReport({ from, to, steps, repair }: Plan): MigrationReport {
  const migrations = steps.map(({ migration: { version, name, documents }, plan }) => ({
    version,
    name,
    changes: [...changesOf(plan), ...(documents ? [documents.change] : [])],
    conflicts: plan.conflicts,
  }));
  return { from, to, migrations, repair: { changes: changesOf(repair), conflicts: repair.conflicts } };
}
