import { createHash } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createOrganisation, parseKey, revokeKey, SCOPES } from '../../src/access/index.ts';
import { documentedRoutes, type ApiDocument, type DocumentedRoute } from '../support/api-document.ts';
import { Harness } from '../support/harness.ts';
import { resigned, serverToken, TokenSigner } from '../support/tokens.ts';
import { Client, HttpHarness } from './support.ts';

let harness: Harness;
let http: HttpHarness;
let acme: Client;
let routes: readonly DocumentedRoute[];
/** What the paths name. All of it exists and belongs to `acme`. */
let ids: Readonly<Record<string, string>>;
let token: string;
beforeAll(async () => {
  harness = await Harness.open();
  await harness.startWorker();
  http = await HttpHarness.start(harness);
  for (const id of ['acme', 'other']) await createOrganisation(harness.context, id, id);
  acme = await http.client(undefined, 'acme');
  await harness.seedCampaign(2, { campaignId: 'acme~c1' });
  await harness.seedCampaign(2, { campaignId: 'other~c2' });
  const [conversationId = ''] = await harness.seedConversations('acme~c1', [{}]);
  const operationId = harness.newId('op');
  const body = { kind: 'reassign', from: 'pool', to: 'everyone', status: 'any' };
  const headers = { 'idempotency-key': operationId, prefer: 'wait=20' };
  await acme.post('/v1/campaigns/c1/operations', body, headers);
  ids = { campaignId: 'c1', texterId: 't1', operationId, conversationId };
  const { body: document } = await acme.get<ApiDocument>('/openapi.json');
  routes = documentedRoutes(document).filter(({ security }) => security.length > 0);
  token = (await acme.post<{ token: string }>('/v1/campaigns/c1/texters/t1/tokens')).body.token;
});
afterAll(async () => {
  await http.close();
  await harness.close();
});

const scopeOf = ({ security }: DocumentedRoute) => security.flatMap((each) => each['key'] ?? [])[0];
const isForTexters = ({ security }: DocumentedRoute) => security.some((each) => 'texter' in each);
const pathOf = ({ path }: DocumentedRoute, values = ids) =>
  path.replaceAll(/\{(\w+)\}/g, (_, name: string) => values[name] ?? name);

/** Sends a request that must be refused, and names it in a failed assertion. */
async function expectRefused(
  client: Client,
  route: DocumentedRoute,
  { status, codes }: { readonly status: number; readonly codes: readonly string[] },
  by: string,
): Promise<void> {
  const problem = await client.problem(route.method, pathOf(route), {});
  const { operationId } = route;
  const shown = { operationId, by, isExpected: codes.includes(problem.code), ...problem };
  expect(shown).toMatchObject({ operationId, by, status, isExpected: true });
}

const UNKNOWN = { status: 401, codes: ['key-refused', 'token-refused'] };

/** Everything that is stored. A refused request changes none of it. */
async function storedHash(): Promise<string> {
  const hash = createHash('sha256');
  for (const model of Object.values(harness.context.database.models)) {
    hash.update(
      JSON.stringify(await (model as typeof harness.context.database.models.changes).collection.find().toArray()),
    );
  }
  return hash.digest('hex');
}

describe('every route', () => {
  it('is refused without a key, with a revoked one, and with a token that is not valid', async () => {
    expect(routes.length).toBeGreaterThan(25);
    const subject = { organisationId: 'acme', campaignId: 'c1', texterId: 't1' };
    const revoked = await http.client(undefined, 'acme');
    await revokeKey(harness.context, parseKey(revoked.key ?? '')?.keyId ?? '');
    const signer = await TokenSigner.create();
    await acme.send('PUT', '/v1/token-keys', { body: { keys: [signer.publicKey] } });
    const publicKey = JSON.stringify(signer.publicKey);
    const foreign = {
      'a revoked key': revoked.key ?? '',
      'a token of another key': await (await TokenSigner.create()).sign(),
      'a token for another audience': await signer.sign({ aud: 'https://crm.example.org' }),
      'a token of another organisation': await signer.sign({ iss: 'urn:baton:organisation:other' }),
      'a token without a signature': resigned(token, 'none'),
      'a token with the public key as a secret': resigned(await signer.sign(), 'HS256', publicKey),
    };
    const expired = await serverToken(harness, subject, 1_000);
    const before = await storedHash();
    for (const route of routes) {
      const send = (text: string | undefined, refusal: Parameters<typeof expectRefused>[2], by: string) =>
        expectRefused(new Client(http.server.address, text), route, refusal, by);
      await send(undefined, { status: 401, codes: ['key-missing'] }, 'nobody');
      const codes = [isForTexters(route) ? 'token-expired' : 'key-refused'];
      await send(expired, { status: 401, codes }, 'an expired token');
      for (const [by, text] of Object.entries(foreign)) await send(text, UNKNOWN, by);
    }
    expect(await storedHash()).toBe(before);
  });

  it('is for keys with its scope, or for tokens, and never for both', async () => {
    const clients = new Map<string, Client>();
    for (const scope of SCOPES) {
      clients.set(
        scope,
        await http.client(
          SCOPES.filter((each) => each !== scope),
          'acme',
        ),
      );
    }
    const before = await storedHash();
    for (const route of routes) {
      if (isForTexters(route)) {
        await expectRefused(acme, route, UNKNOWN, 'a key');
        continue;
      }
      await expectRefused(new Client(http.server.address, token), route, UNKNOWN, 'a token');
      const without = clients.get(scopeOf(route) ?? '') ?? acme;
      await expectRefused(without, route, { status: 403, codes: ['scope-missing'] }, 'a key without the scope');
    }
    expect(await storedHash()).toBe(before);
  });

  it('answers 404 for what another organisation owns, as for what does not exist', async () => {
    const strangers = [await http.client(undefined, 'other'), await http.client()];
    const nothing = { campaignId: 'c9', texterId: 't9', operationId: 'op9', conversationId: '0'.repeat(24) };
    const before = await storedHash();
    for (const route of routes.filter(({ path }) => path.includes('{campaignId}'))) {
      const missing = await acme.problem(route.method, pathOf(route, nothing));
      for (const stranger of strangers) {
        const foreign = await stranger.problem(route.method, pathOf(route));
        const { requestId, instance } = missing;
        expect({ ...foreign, requestId, instance }).toEqual({ ...missing, status: 404, code: 'not-found' });
        // Also with a campaign of their own in front of what another one has.
        if (!/\{(operationId|conversationId)\}/.test(route.path)) continue;
        const mixed = pathOf(route, { ...ids, campaignId: 'c2' });
        expect((await stranger.send(route.method, mixed)).status).toBe(404);
      }
    }
    expect(await storedHash()).toBe(before);
  });
});
