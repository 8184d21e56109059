import type { Command } from 'commander';
import { createOrganisation, type RecordedChange } from '../../access/index.ts';
import { DEFAULT_ORGANISATION } from '../../domain/organisations.ts';
import { limitOption } from '../options.ts';
import type { Session } from '../session.ts';
import { moment, table, type Output } from '../terminal.ts';

export function addOrganisation(program: Command, session: Session): void {
  const group = program.command('organisation').summary('create and list organisations of the HTTP API');
  group
    .command('create')
    .summary('create an organisation')
    .description('Creates an organisation. Its campaigns have ids with the organisation in front: acme~c1.')
    .argument('<id>', 'the id: lower-case letters, digits and "-"')
    .argument('<name>', 'the name of the organisation')
    .action(async (id: string, name: string) => {
      const organisation = await createOrganisation(await session.context(), id, name);
      session.print({ json: organisation, text: `Created organisation ${organisation.organisationId}.` });
    });
  group
    .command('list')
    .summary('list organisations')
    .action(async () => session.print(await list(session)));
}

async function list(session: Session): Promise<Output> {
  const organisations = await (await session.context()).organisations.list();
  const rows = organisations.map(({ organisationId, name, createdAt }) => [organisationId, name, moment(createdAt)]);
  return { json: { organisations }, text: table(['id', 'name', 'created'], rows) };
}

export function addChanges(program: Command, session: Session): void {
  program
    .command('changes')
    .summary('list who changed rules, texters and keys, newest first')
    .option('--organisation <id>', 'the organisation', DEFAULT_ORGANISATION)
    .addOption(limitOption(50))
    .action(async ({ organisation, limit }: { organisation: string; limit: number }) => {
      const changes = await (await session.context()).changes.list(organisation, limit);
      session.print({ json: { changes }, text: changesTable(changes) });
    });
}

function changesTable(changes: readonly RecordedChange[]): string {
  const rows = changes.map(({ at, kind, campaignId, subjectIds, actor, outcome }) => [
    ...[moment(at), kind, campaignId ?? '–', subjectIds.join(' '), actor],
    outcome ?? 'unknown',
  ]);
  return table(['when', 'change', 'campaign', 'about', 'actor', 'outcome'], rows);
}
