import type { Command } from 'commander';
import { databaseIdOf } from '../../mongo/database-id.ts';
import { readOwner, replaceOwner } from '../../queue/queue-owner.ts';
import type { Session } from '../session.ts';
import type { Output } from '../terminal.ts';

export function addAdopt(program: Command, session: Session): void {
  program
    .command('adopt')
    .description(
      'Says which database the queues belong to; with --yes they belong to the database of MONGODB_URI from then on. Use it ' +
        'after a deliberate change to another database. Workers of the other database stop within seconds. Jobs that wait ' +
        'in the queues run on the new database. A database that was moved or restored with all its collections keeps its ' +
        'id and needs no adoption.',
    )
    .option('--yes', 'give the queues to this database')
    .action(async ({ yes = false }: { yes?: boolean }) => session.print(await adopt(session, yes)));
}

async function adopt(session: Session, yes: boolean): Promise<Output> {
  const { redisUrl, prefix } = session.config.queue;
  const databaseId = await databaseIdOf((await session.context()).database);
  const { withRedis } = await import('../../queue/connection.ts');
  return withRedis(redisUrl, async (redis) => {
    const before = (await readOwner(redis, prefix))?.databaseId ?? null;
    const isChange = before !== databaseId;
    if (yes && isChange) await replaceOwner(redis, prefix, databaseId);
    return { json: { dryRun: !yes, databaseId, before }, text: adoptText({ prefix, databaseId, before, yes }) };
  });
}

interface Adoption {
  readonly prefix: string;
  readonly databaseId: string;
  readonly before: string | null;
  readonly yes: boolean;
}

function adoptText({ prefix, databaseId, before, yes }: Adoption): string {
  const queues = `The queues with the prefix ${prefix}`;
  if (before === databaseId) return `${queues} belong to this database already (${databaseId}).`;
  const from = before === null ? 'no database' : `the database ${before}`;
  if (yes) return `${queues} belong to this database now (${databaseId}). Before, they belonged to ${from}.`;
  return `${queues} belong to ${from}. Nothing was changed; --yes gives them to this database (${databaseId}).`;
}
