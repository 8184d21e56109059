import { randomUUID } from 'node:crypto';
import { organisationId as organisationIdRule } from '../domain/ids.ts';
import { DEFAULT_ORGANISATION } from '../domain/id-rules.ts';
import { Refusal } from '../domain/errors.ts';
import { shownId } from '../domain/safe-text.ts';
import { parseWith } from '../domain/requests.ts';
import { readName } from '../domain/visible-text.ts';
import type { RedisConnection } from '../queue/connection.ts';
import { hashOf, keyText, newKey } from './key.ts';
import { type ApiKey, COMMAND_LINE, type Organisation, type Scope } from './organisation.ts';
import type { KeyStore, OrganisationStore } from './ports.ts';
import { recorded, type RecordDeps } from './recorded.ts';
import { readTokenKeys, type TokenKey } from './token-key.ts';

const NAME_CHARS_MAX = 60;

export interface AccessDeps extends RecordDeps {
  readonly organisations: OrganisationStore;
  readonly keys: KeyStore;
}

/** Throws an `organisation-exists` refusal when the id is taken. */
export async function createOrganisation(deps: AccessDeps, id: string, name: string): Promise<Organisation> {
  const organisationId = parseWith(organisationIdRule, id);
  const organisation = { organisationId, name: checkedName(name), createdAt: deps.clock.now() };
  const change = {
    organisationId,
    campaignId: null,
    kind: 'organisation-created',
    subjectIds: [],
    values: {},
  } as const;
  await recorded(deps, change, () => deps.organisations.insert(organisation));
  return organisation;
}

/** Replaces the public keys with which an organisation signs tokens. Throws an `unknown-organisation` or `bad-request` refusal. */
export async function setTokenKeys(deps: AccessDeps, id: string, input: unknown): Promise<readonly TokenKey[]> {
  const { organisationId } = await findOrganisation(deps, id);
  const keys = await readTokenKeys(input);
  const subjectIds = keys.map(({ kid }) => kid);
  const change = { organisationId, campaignId: null, kind: 'token-keys-changed', subjectIds, values: {} } as const;
  await recorded(deps, change, () => deps.organisations.setTokenKeys(organisationId, keys));
  return keys;
}

export interface KeyRequest {
  readonly organisationId: string;
  /** The app that uses the key. */
  readonly name: string;
  readonly scopes: readonly Scope[];
}

/** A new key. Nothing returns the text a second time. */
export interface CreatedKey {
  readonly key: ApiKey;
  readonly text: string;
}

/** Throws an `unknown-organisation` refusal, and a `too-many-keys` refusal when the app has two live keys. */
export async function createKey(deps: AccessDeps, request: KeyRequest): Promise<CreatedKey> {
  const { organisationId } = await findOrganisation(deps, request.organisationId);
  const { keyId, secret } = newKey();
  const key: ApiKey = {
    keyId,
    organisationId,
    name: checkedName(request.name),
    scopes: request.scopes,
    createdAt: deps.clock.now(),
    createdBy: deps.actor ?? COMMAND_LINE,
    revokedAt: null,
  };
  const values = { scopes: request.scopes };
  const change = { organisationId, campaignId: null, kind: 'key-created', subjectIds: [keyId], values } as const;
  await recorded(deps, change, () => deps.keys.insert({ ...key, hash: hashOf(secret) }));
  return { key, text: keyText({ keyId, secret }) };
}

/** Revokes a key for good. Safe to repeat. Throws an `unknown-key` refusal. */
export async function revokeKey(deps: AccessDeps, keyId: string): Promise<ApiKey> {
  const found = await deps.keys.find(keyId);
  if (!found) throw unknownKey(keyId);
  const { organisationId } = found;
  const change = { organisationId, campaignId: null, kind: 'key-revoked', subjectIds: [keyId], values: {} } as const;
  const revoked = await recorded(deps, change, () => deps.keys.revoke(keyId, deps.clock.now()));
  if (!revoked) throw unknownKey(keyId);
  return revoked;
}

/** A new key, and the one that was revoked for it; `null` when the app had fewer than two. */
interface ReplacedKey extends CreatedKey {
  readonly revoked: ApiKey | null;
}

/**
 * Creates a key for an app that may have two live keys already; then the older one is revoked first. For keys that are
 * replaced without a person, as at each start of a development installation. A request that is refused revokes nothing.
 */
export async function replaceKey(deps: AccessDeps, request: KeyRequest): Promise<ReplacedKey> {
  const { organisationId } = await findOrganisation(deps, request.organisationId);
  const name = checkedName(request.name);
  const live = (await deps.keys.list(organisationId)).filter((key) => key.name === name && key.revokedAt === null);
  const [oldest, second] = live;
  const revoked = oldest && second ? await revokeKey(deps, oldest.keyId) : null;
  return { ...(await createKey(deps, { ...request, name })), revoked };
}

/** Throws an `unknown-organisation` refusal. */
export async function findOrganisation(
  { organisations }: Pick<AccessDeps, 'organisations'>,
  organisationId: string = DEFAULT_ORGANISATION,
): Promise<Organisation> {
  const found = await organisations.find(organisationId);
  if (found) return found;
  throw new Refusal('unknown-organisation', {
    message: `organisation ${shownId(organisationId)} does not exist`,
    expected: 'the id of an organisation',
    received: shownId(organisationId),
  });
}

function unknownKey(keyId: string): Refusal {
  return new Refusal('unknown-key', {
    message: `key ${shownId(keyId)} does not exist`,
    expected: 'the id of an API key',
    received: shownId(keyId),
  });
}

/** The refusal describes the name and does not repeat it. */
function checkedName(name: string): string {
  const reading = readName(name);
  const checked = 'broken' in reading ? '' : reading.name;
  if (checked.length > 0 && checked.length <= NAME_CHARS_MAX) return checked;
  throw new Refusal('bad-request', {
    message: `the name must have 1 to ${NAME_CHARS_MAX} visible characters in one line`,
    expected: `one line of 1 to ${NAME_CHARS_MAX} characters`,
    received: `a name of ${name.length} characters`,
  });
}

/** Returns the Redis key of a random text that changes with every revoked API key. HTTP servers read the keys again then. */
export function keyVersionKey(prefix: string): string {
  return `${prefix}:http:keys`;
}

/** Makes every HTTP server read the keys again. Call it after a key is revoked. */
export async function renewKeyVersion(redis: RedisConnection, prefix: string): Promise<void> {
  await redis.set(keyVersionKey(prefix), randomUUID());
}
