import type { Command } from 'commander';
import { createOrganisation, setTokenKeys, type RecordedChange } from '../../access/index.ts';
import { DEFAULT_ORGANISATION } from '../../domain/id-rules.ts';
import { Refusal } from '../../domain/errors.ts';
import { openInput } from '../input-file.ts';
import { fittedTable } from '../layout.ts';
import { limitOption } from '../options.ts';
import type { Session } from '../session.ts';
import { moment, type Output, type Text } from '../terminal.ts';

const KEY_SET_BYTES_MAX = 64 * 1024;

export function addOrganisation(program: Command, session: Session): void {
  const group = program.command('organisation');
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
  group
    .command('token-keys')
    .summary('register the public keys with which an organisation signs tokens of its texters')
    .description(
      'Replaces the public keys with which an organisation signs tokens of its texters. The file is a JSON Web Key Set; one ' +
        'without keys ends it. Takes effect at once.',
    )
    .argument('<id>', 'the organisation')
    .argument('<file>', 'the file, or - for the standard input')
    .action(async (id: string, file: string) => session.print(await replaceTokenKeys(session, id, file)));
}

async function replaceTokenKeys(session: Session, id: string, file: string): Promise<Output> {
  const input = await readJson(session, file);
  const keys = await setTokenKeys(await session.context(), id, input);
  const ids = keys.map(({ kid }) => kid);
  const text =
    ids.length === 0 ? `Organisation ${id} signs no tokens.` : `Keys of organisation ${id}: ${ids.join(', ')}.`;
  return { json: { organisationId: id, keys: ids }, text };
}

async function readJson({ terminal }: Session, name: string): Promise<unknown> {
  const file = await openInput(terminal, name);
  try {
    if (file.bytes > KEY_SET_BYTES_MAX) throw notAKeySet(`${file.bytes} bytes`);
    const pieces: Uint8Array[] = [];
    for await (const piece of file.read()) pieces.push(piece);
    return JSON.parse(Buffer.concat(pieces).toString()) as unknown;
  } catch (error) {
    throw error instanceof SyntaxError ? notAKeySet('another text') : error;
  } finally {
    await file.close();
  }
}

function notAKeySet(received: string): Refusal {
  const expected = 'a file with a JSON Web Key Set';
  return new Refusal('bad-request', { message: `the file must be ${expected}`, expected, received });
}

async function list(session: Session): Promise<Output> {
  const organisations = await (await session.context()).organisations.list();
  const rows = organisations.map(({ organisationId, name, createdAt }) => [organisationId, name, moment(createdAt)]);
  return {
    json: { organisations },
    text: fittedTable(['id', { title: 'name', isShortened: true }, { title: 'created', spare: 1 }], rows),
  };
}

export function addChanges(program: Command, session: Session): void {
  program
    .command('changes')
    .option('--organisation <id>', 'the organisation', DEFAULT_ORGANISATION)
    .addOption(limitOption(50))
    .action(async ({ organisation, limit }: { organisation: string; limit: number }) => {
      const changes = await (await session.context()).changes.list(organisation, limit);
      session.print({ json: { changes }, text: changesTable(changes) });
    });
}

const CHANGES = [
  'when',
  'change',
  { title: 'campaign', spare: 1 },
  'about',
  { title: 'outcome', whenUsed: true },
  { title: 'actor', isShortened: true, spare: 2 },
] as const;

function changesTable(changes: readonly RecordedChange[]): Text {
  const rows = changes.map(({ at, kind, campaignId, subjectIds, actor, outcome }) => [
    ...[moment(at), kind, campaignId ?? '–', subjectIds.join(' ')],
    ...[outcome === 'done' ? '' : (outcome ?? 'unknown'), actor],
  ]);
  return fittedTable(CHANGES, rows);
}
