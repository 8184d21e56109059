import { readFileSync } from 'node:fs';
import { Types } from 'mongoose';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createOrganisation } from '../../src/access/index.ts';
import { documentedRoutes, wrongHeaders, type ApiDocument, type DocumentedRoute } from '../support/api-document.ts';
import { conversationDoc } from '../support/documents.ts';
import { Harness } from '../support/harness.ts';
import { Client, HttpHarness, type Answered } from './support.ts';

const TEXT = readFileSync(new URL('../../openapi.json', import.meta.url), 'utf8');
const ROUTES = documentedRoutes(JSON.parse(TEXT) as ApiDocument);

let harness: Harness;
let http: HttpHarness;
/** A server that answers 429 to the second request of each key and texter. */
let few: HttpHarness;
beforeAll(async () => {
  harness = await Harness.open();
  await harness.startWorker();
  http = await HttpHarness.start(harness);
  few = await HttpHarness.start(harness, { keyRequestsPerMinute: 1, texterRequestsPerMinute: 1 });
});
afterAll(async () => {
  await Promise.all([http.close(), few.close()]);
  await harness.close();
});

const isForTexters = ({ security }: DocumentedRoute): boolean => security.some((each) => 'texter' in each);
const exampleOf = ({ parameters }: DocumentedRoute, place: string, name: string): string =>
  String(parameters.find((each) => each.in === place && each.name === name)?.example);

/** Prepares what the examples name, for an organisation of its own. */
async function prepare(route: DocumentedRoute, organisation: string): Promise<Client> {
  const { context } = harness;
  await createOrganisation(context, organisation, organisation);
  const client = await http.client(undefined, organisation);
  if (route.operationId === 'createCampaign') return client;
  const campaignId = await harness.seedCampaign(1, {
    campaignId: `${organisation}~c_bartlett`,
    selfAssign: { enabled: true },
  });
  if (route.operationId !== 'addTexters') {
    await client.post('/v1/campaigns/c_bartlett/texters', { texters: [{ texterId: 't_kevin', name: 'Kevin' }] });
  }
  if (route.path.includes('{conversationId}')) {
    const _id = new Types.ObjectId(exampleOf(route, 'path', 'conversationId'));
    await harness.seeder.conversations([conversationDoc(1, { campaignId, _id })]);
  }
  if (route.path.includes('{operationId}')) await prepareOperation(route, client, organisation);
  if (!isForTexters(route)) return client;
  const { body } = await client.post<{ token: string }>('/v1/campaigns/c_bartlett/texters/t_kevin/tokens');
  return new Client(http.server.address, body.token);
}

async function prepareOperation(route: DocumentedRoute, client: Client, organisation: string): Promise<void> {
  const key = exampleOf(route, 'path', 'operationId');
  const send = (rest: string, body: object, headers = {}) =>
    client.post(`/v1/campaigns/c_bartlett/${rest}`, body, { 'idempotency-key': key, ...headers });
  if (isForTexters(route)) {
    expect((await send('claims', { texterId: 't_kevin' }, { prefer: 'wait=20' })).status).toBe(200);
    return;
  }
  if (route.operationId === 'cancelOperation') {
    await send('claims', { texterId: 't_kevin', waitMs: 60_000 });
    const isWaiting = () => harness.isWaiting(`${organisation}~${key}`);
    await expect.poll(isWaiting, { timeout: 20_000 }).toBe(true);
    return;
  }
  const body = { kind: 'reassign', from: 'pool', to: 'everyone', status: 'any' };
  expect((await send('operations', body, { prefer: 'wait=20' })).status).toBe(200);
  if (route.operationId !== 'retryOperation') return;
  const error = { code: 'attempts-exhausted', message: 'no', expected: null, received: null };
  const failed = { $set: { state: 'failed', error } } as const;
  await harness.context.database.operations.updateOne({ _id: `${organisation}~${key}` }, failed);
}

/** The headers that the responses of the examples had. */
const seen = new Set<string>();

/** The response has exactly the headers that the document describes. */
function expectDescribed(route: DocumentedRoute, { status, headers }: Answered): void {
  const { operationId, statuses } = route;
  expect({ operationId, statuses }).toEqual({
    operationId,
    statuses: expect.arrayContaining([String(status)]) as string[],
  });
  expect({ operationId, status, wrong: wrongHeaders(route, status, headers) }).toEqual({
    operationId,
    status,
    wrong: [],
  });
  for (const name of headers.keys()) seen.add(name);
}

/** Sends the examples of a route, and nothing that it does not require. */
async function sendExamples(
  client: Client,
  { method, path, parameters, examples }: DocumentedRoute,
  headers: Readonly<Record<string, string>> = {},
): Promise<Answered> {
  const of = (place: string): [string, string][] =>
    parameters.filter((each) => each.in === place && each.required).map(({ name, example }) => [name, String(example)]);
  const filled = of('path').reduce((text, [name, value]) => text.replace(`{${name}}`, value), path);
  const query = new URLSearchParams(of('query')).toString();
  const [body] = examples;
  const sending = { headers: { ...Object.fromEntries(of('header')), ...headers }, ...(body && { body: body.value }) };
  return client.send(method, query === '' ? filled : `${filled}?${query}`, sending);
}

describe('the document of the API', () => {
  it('is the file that the package contains', async () => {
    const served = await (await fetch(`${http.server.address}/openapi.json`)).json();
    expect(served).toEqual(JSON.parse(TEXT));
  });

  it('is shown as a page, with an example of each body', async () => {
    const page = await (await fetch(`${http.server.address}/docs`)).text();
    expect(page.split('<section>')).toHaveLength(ROUTES.length + 1);
    expect(page.split('<pre>')).toHaveLength(ROUTES.filter(({ hasBody }) => hasBody).length + 1);
  });

  it('describes each operation once, with its security, its errors and an example of each required value', () => {
    expect(new Set(ROUTES.map(({ operationId }) => operationId)).size).toBe(ROUTES.length);
    for (const { operationId, summary, security, statuses, parameters, examples, hasBody } of ROUTES) {
      const missing = parameters.filter(({ required, example }) => required && example === undefined);
      expect({ operationId, missing, examples: examples.length > 0 }).toEqual({
        ...{ operationId, missing: [], examples: hasBody },
      });
      expect(summary).toMatch(/^[A-Z]/);
      const isForKeys = security.some((each) => 'key' in each);
      const ofCallers = security.length === 0 ? [] : ['401', '429', '503', ...(isForKeys ? ['403'] : [])];
      const errors = ['400', '500', ...ofCallers];
      expect({ operationId, statuses }).toEqual({ operationId, statuses: expect.arrayContaining(errors) as string[] });
    }
  });

  it('lists the parameters of a path first, in the order of the path', () => {
    for (const { operationId, path, parameters } of ROUTES) {
      const inPath = [...path.matchAll(/\{(\w+)\}/g)].map(([, name]) => name);
      const names = parameters.map(({ name }) => name).slice(0, inPath.length);
      expect({ operationId, names }).toEqual({ operationId, names: inPath });
    }
  });

  it('has a name for each body, and for each schema of a union that a field distinguishes', () => {
    const { schemas } = (JSON.parse(TEXT) as ApiDocument).components;
    // Clients for Go have functions such as NewCampaign.
    expect(Object.keys(schemas).filter((name) => /^New|Input$/.test(name))).toEqual([]);
    const unnamed = ROUTES.filter(({ bodies }) => bodies.some((name) => schemas[name] === undefined));
    expect(unnamed.map(({ operationId }) => operationId)).toEqual([]);
    const request = schemas['OperationRequest'] as unknown as { discriminator: { mapping: Record<string, string> } };
    expect(request.discriminator.mapping['reassign-one']).toBe('#/components/schemas/ReassignOneRequest');
    // Tuples stop generators of clients for Python, and a response without content must not describe any.
    expect(TEXT).not.toContain('prefixItems');
    const { paths } = JSON.parse(TEXT) as ApiDocument;
    const operations = Object.values(paths).flatMap((each) => Object.values(each));
    expect(operations.flatMap(({ responses }) => responses['204'] ?? []).map(({ content }) => content)).toEqual([
      undefined,
    ]);
  });

  it.concurrent.each(ROUTES.map((route, at) => ({ ...route, at })))(
    'has examples of $operationId that the server accepts',
    async (route) => {
      const client = await prepare(route, `o${route.at}`);
      const answered = await sendExamples(client, route);
      expectDescribed(route, answered);
      expect(answered.status).toBeLessThan(300);
      // Sent again, an operation that has ended is replayed, and what has ended or exists is refused.
      expectDescribed(route, await sendExamples(client, route, { prefer: 'wait=20' }));
      expectDescribed(route, await sendExamples(client, route));
      expectDescribed(route, await sendExamples(new Client(http.server.address), route));
      expectDescribed(route, await sendExamples(new Client(http.server.address, 'baton_x'), route));
      const limited = await sendExamples(new Client(few.server.address, client.key), route);
      expect(limited.status).toBe(route.security.length > 0 ? 429 : answered.status);
      expectDescribed(route, limited);
    },
  );

  it('describes no header that the server does not send', () => {
    const described = Object.keys((JSON.parse(TEXT) as ApiDocument).components.headers);
    expect(described.filter((name) => !seen.has(name.toLowerCase()))).toEqual([]);
  });
});
