import type { Command } from 'commander';
import {
  type ApiKey,
  createKey,
  type CreatedKey,
  findOrganisation,
  renewKeyVersion,
  replaceKey,
  revokeKey,
  rotateSigningKey,
  type Scope,
  SCOPES,
} from '../../access/index.ts';
import { DEFAULT_ORGANISATION } from '../../domain/id-rules.ts';
import { errorText } from '../../domain/safe-text.ts';
import { misused } from '../errors.ts';
import { fittedTable } from '../layout.ts';
import type { Session } from '../session.ts';
import { moment, type Output } from '../terminal.ts';

const COLUMNS = [
  'key',
  { title: 'app', isShortened: true },
  'state',
  { title: 'created', spare: 2 },
  { title: 'by', spare: 1 },
  { title: 'scopes', isShortened: true },
] as const;

interface CreateOptions {
  readonly organisation: string;
  readonly name: string;
  readonly scopes?: readonly Scope[];
  readonly replace?: true;
}

export function addKey(program: Command, session: Session): void {
  const group = program.command('key');
  group
    .command('create')
    .summary('create an API key for an app')
    .description('Creates an API key and prints it once. An app can have two live keys, to replace one without a gap.')
    .option('--organisation <id>', 'the organisation of the app', DEFAULT_ORGANISATION)
    .option('--name <app>', 'the app that uses the key', 'app')
    .option('--scopes <scopes>', `what the key may do: ${SCOPES.join(', ')}. Default: everything`, readScopes)
    .option('--replace', 'if the app has two live keys, revoke the older one')
    .action(async (options: CreateOptions) => session.print(await create(session, options)));
  group
    .command('list')
    .summary('list API keys, without their secrets')
    .option('--organisation <id>', 'the organisation', DEFAULT_ORGANISATION)
    .action(async (options: { organisation: string }) => session.print(await list(session, options.organisation)));
  group
    .command('revoke')
    .summary('revoke an API key for good')
    .argument('<key-id>', 'the id of the key, from `baton key list`')
    .action(async (keyId: string) => session.print(await revoke(session, keyId)));
  group
    .command('rotate-signing-key')
    .summary('replace the key with which the HTTP servers sign tokens of texters')
    .description(
      'Replaces the key with which the HTTP servers sign tokens of texters. Tokens stay valid until they expire.',
    )
    .option('--drop', 'make all tokens invalid within seconds, because the key is known to others')
    .action(async ({ drop = false }: { drop?: boolean }) => session.print(await rotate(session, drop)));
}

function readScopes(typed: string): readonly Scope[] {
  return typed.split(',').map((word) => {
    const scope = SCOPES.find((known) => known === word.trim());
    if (scope !== undefined) return scope;
    const expected = SCOPES.join(', ');
    throw misused(`--scopes must be some of ${expected}, separated by commas`, { expected, received: 'another word' });
  });
}

async function create(
  session: Session,
  { organisation, name, scopes = SCOPES, replace }: CreateOptions,
): Promise<Output> {
  const context = await session.context();
  const request = { organisationId: organisation, name, scopes };
  if (!replace) return createdOutput(await createKey(context, request));
  const replaced = await replaceKey(context, request);
  if (replaced.revoked) await notifyServers(session, replaced.revoked);
  return createdOutput(replaced);
}

function createdOutput(created: CreatedKey): Output {
  return { json: { ...created.key, key: created.text }, text: createdText(created) };
}

function createdText({ key, text }: CreatedKey): string {
  return `Created key ${key.keyId} of ${key.name}. This is the only time that it is shown:\n\n${text}`;
}

async function list(session: Session, organisation: string): Promise<Output> {
  const context = await session.context();
  const { organisationId } = await findOrganisation(context, organisation);
  const keys = await context.keys.list(organisationId);
  const rows = keys.map((key) => [
    ...[key.keyId, key.name, stateOf(key), moment(key.createdAt), key.createdBy],
    key.scopes.join(' '),
  ]);
  return { json: { organisationId, keys }, text: rows.length > 0 ? fittedTable(COLUMNS, rows) : 'No keys.' };
}

async function revoke(session: Session, keyId: string): Promise<Output> {
  const key = await revokeKey(await session.context(), keyId);
  await notifyServers(session, key);
  return { json: key, text: `Revoked key ${key.keyId} of ${key.name}.` };
}

async function rotate(session: Session, drop: boolean): Promise<Output> {
  const kid = await rotateSigningKey(await session.context(), { drop });
  const tokens = drop ? 'All tokens become invalid within seconds.' : 'Tokens stay valid until they expire.';
  return { json: { kid, drop }, text: `The servers sign with key ${kid} now. ${tokens}` };
}

/** The key is revoked by then. Servers that are not notified find out within seconds. */
async function notifyServers(session: Session, { keyId }: ApiKey): Promise<void> {
  const { queue } = session.config;
  try {
    const { withRedis } = await import('../../queue/connection.ts');
    await withRedis(queue.redisUrl, (redis) => renewKeyVersion(redis, queue.prefix));
  } catch (error) {
    session.note(
      `key ${keyId} is revoked, but Redis cannot be reached; HTTP servers may accept it for some seconds: ${errorText(error)}`,
    );
  }
}

function stateOf({ revokedAt }: ApiKey): string {
  return revokedAt === null ? 'live' : `revoked ${moment(revokedAt)}`;
}
