import type { Command } from 'commander';
import type { MigrationReport, PlannedChanges } from '../../mongo/migrate.ts';
import { EXIT_REFUSED } from '../../domain/errors.ts';
import { counted, type Output } from '../terminal.ts';
import type { Session } from '../session.ts';

export function addMigrate(program: Command, session: Session): void {
  program
    .command('migrate')
    .description(
      'Brings the database to the schema that this version of Baton needs. Run it before you start workers of a new ' +
        'version. The workers of the previous version keep running meanwhile. Running it again changes nothing.',
    )
    .option('--dry-run', 'list the changes without making them')
    .action(async ({ dryRun = false }: { dryRun?: boolean }) => session.print(await run(session, dryRun)));
}

/** Opens its own context: the context of the session refuses a database that is not migrated. */
async function run(session: Session, isDryRun: boolean): Promise<Output> {
  const { config } = session;
  const [{ createContext }, { migrate, planMigrations }] = await Promise.all([
    import('../../context.ts'),
    import('../../mongo/migrate.ts'),
  ]);
  const context = await createContext(config);
  try {
    const { database } = context;
    const report = isDryRun
      ? await planMigrations(database)
      : await migrate(database, { log: (line) => session.note(line) });
    if (stepsOf(report).some(({ conflicts }) => conflicts.length > 0)) session.exitStatus = EXIT_REFUSED;
    return { json: { dryRun: isDryRun, ...report }, text: describe(report, isDryRun) };
  } finally {
    await context.close();
  }
}

interface Step extends PlannedChanges {
  readonly title: string;
}

function stepsOf({ migrations, repair }: MigrationReport): Step[] {
  const steps = migrations.map(({ version, name, ...changes }) => ({
    title: `migration ${version}: ${name}`,
    ...changes,
  }));
  const isRepaired = repair.changes.length > 0 || repair.conflicts.length > 0;
  return isRepaired ? [...steps, { title: 'repair of lost collections and indexes', ...repair }] : steps;
}

function describe(report: MigrationReport, isDryRun: boolean): string {
  const { from, to } = report;
  const steps = stepsOf(report);
  if (steps.length === 0) return `The database has schema version ${to}. Nothing to do.`;
  const count = counted(steps.length, 'step');
  if (!isDryRun) return `The database has schema version ${to}. ${count} completed.`;
  const lines = steps.flatMap(({ title, changes, conflicts }) => [
    title,
    ...changes.map((change) => `   ${change}`),
    ...conflicts.map((conflict) => `   problem: ${conflict}`),
  ]);
  const isRefused = steps.some(({ conflicts }) => conflicts.length > 0);
  return [
    `The database has schema version ${from}. ${count} to run, up to version ${to}:`,
    ...lines,
    ...(isRefused ? ['`baton migrate` changes nothing until the problems are solved.'] : []),
  ].join('\n');
}
