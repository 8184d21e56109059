import type { FastifyReply, FastifyRequest } from 'fastify';
import { matchesHash, parseKey, type Key, type Scope, type StoredKey } from '../access/index.ts';
import type { HttpConfig } from '../http-config.ts';
import type { Gate } from './gate.ts';
import type { KeyCache } from './key-cache.ts';
import { HttpProblem } from './problem.ts';
import { countAgainstLimit } from './rate-limit.ts';

/** The texter who sent a request, as the token says. */
export interface TexterCaller {
  readonly organisationId: string;
  /** The id under which the campaign is stored. */
  readonly campaignId: string;
  readonly texterId: string;
}

/** The app that sent a request, as its API key says. */
export interface KeyCaller {
  readonly keyId: string;
  readonly organisationId: string;
  readonly scopes: readonly Scope[];
}

export interface AuthenticateDeps {
  readonly config: Pick<HttpConfig, 'keyRequestsPerMinute'>;
  readonly gate: Gate;
  readonly keyCache: KeyCache;
}

/** Returns the caller with this API key, and counts the request. Throws a problem for a key that is not live. */
export async function authenticateKey(
  { config, gate, keyCache }: AuthenticateDeps,
  request: FastifyRequest,
  reply: FastifyReply,
): Promise<KeyCaller> {
  const given = parseKey(bearerOf(request));
  if (!given) throw refusedKey();
  const kept = await keyCache.find(given.keyId);
  let key = requireLive(given, kept?.key);
  const passed = await gate.pass(`key:${given.keyId}`);
  countAgainstLimit(reply, passed, config.keyRequestsPerMinute);
  if (kept?.version !== passed.version) key = requireLive(given, (await keyCache.read(given.keyId))?.key);
  const { keyId, organisationId, scopes } = key;
  return { keyId, organisationId, scopes };
}

/** Returns the text after `Bearer`. The scheme is not case-sensitive. */
export function bearerOf({ headers }: FastifyRequest): string {
  const [, text] = /^bearer +(\S+)$/i.exec(headers.authorization ?? '') ?? [];
  if (text !== undefined) return text;
  throw new HttpProblem('key-missing', {
    message: 'the request has no key: send it as Authorization: Bearer KEY',
    expected: 'a header Authorization: Bearer KEY',
    received: headers.authorization === undefined ? 'no such header' : 'another scheme',
    headers: { 'www-authenticate': 'Bearer' },
  });
}

/** An unknown key, a wrong secret and a revoked key have the same answer. */
function requireLive(given: Key, stored: StoredKey | undefined): StoredKey {
  if (stored?.revokedAt === null && matchesHash(given.secret, stored.hash)) return stored;
  throw refusedKey();
}

function refusedKey(): HttpProblem {
  return new HttpProblem('key-refused', {
    message: 'the API key is unknown or was revoked',
    expected: 'a live API key, from `baton key create`',
    received: 'another text',
    headers: { 'www-authenticate': 'Bearer error="invalid_token"' },
  });
}

export function requireScope({ scopes }: KeyCaller, scope: Scope): void {
  if (scopes.includes(scope)) return;
  throw new HttpProblem('scope-missing', {
    message: `the API key does not have the scope ${scope}`,
    expected: `a key with the scope ${scope}`,
    received: scopes.length === 0 ? 'a key without scopes' : `a key with the scopes ${scopes.join(' ')}`,
  });
}

/** Returns the app that sent the request. Routes for keys have one. */
export function callerOf({ caller }: FastifyRequest): KeyCaller {
  return caller ?? refuseRoute('keys');
}

/** Returns the texter who sent the request. Routes for texters, declared by `access: { for: 'texter' }`, have one. */
export function texterOf({ texter }: FastifyRequest): TexterCaller {
  return texter ?? refuseRoute('texters');
}

/** Returns the organisation of the app or the texter who sent the request. */
export function organisationIdOf({ caller, texter }: FastifyRequest): string {
  return (caller ?? texter ?? refuseRoute('keys or texters')).organisationId;
}

function refuseRoute(callers: string): never {
  const details = { expected: `a route for ${callers}`, received: 'another route' };
  throw new HttpProblem('internal-error', { message: `the route is not declared for ${callers}`, ...details });
}

/** Names who makes a change: the key, and the person whom the app has named. */
export function actorOf(request: FastifyRequest, actorId?: string): string {
  const key = `key:${callerOf(request).keyId}`;
  return actorId === undefined ? key : `${key}/${actorId}`;
}
