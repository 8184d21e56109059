import type { Command } from 'commander';
import { createContext } from '../../context.ts';
import { migrate, planMigrations, type MigrationReport } from '../../mongo/migrate.ts';
import { counted, type Output } from '../terminal.ts';
import type { Session } from '../session.ts';

export function addMigrate(program: Command, session: Session): void {
  program
    .command('migrate')
    .summary('create or upgrade the collections and indexes of the database')
    .description(
      'Brings the database to the schema that this version of Baton needs. Run it before you start workers of a new ' +
        'version. The workers of the previous version keep running meanwhile. Running it again changes nothing.',
    )
    .option('--dry-run', 'list the changes without making them')
    .action(async ({ dryRun = false }: { dryRun?: boolean }) => session.print(await run(session, dryRun)));
}

/** Opens its own context: the context of the session refuses a database that is not migrated. */
async function run(session: Session, isDryRun: boolean): Promise<Output> {
  const context = await createContext(session.config);
  try {
    const { database } = context;
    const report = isDryRun
      ? await planMigrations(database)
      : await migrate(database, { log: (line) => session.note(line) });
    return { json: { dryRun: isDryRun, ...report }, text: describe(report, isDryRun) };
  } finally {
    await context.close();
  }
}

function describe({ from, to, migrations }: MigrationReport, isDryRun: boolean): string {
  if (migrations.length === 0) return `The database has schema version ${to}. Nothing to do.`;
  const count = counted(migrations.length, 'migration');
  if (!isDryRun) return `The database has schema version ${to}. ${count} completed.`;
  const lines = migrations.flatMap(({ version, name, changes }) => [
    `${version}: ${name}`,
    ...changes.map((change) => `   ${change}`),
  ]);
  return [`The database has schema version ${from}. ${count} to run, up to version ${to}:`, ...lines].join('\n');
}
