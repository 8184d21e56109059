import { createHash } from 'node:crypto';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { problemDocument } from '../../src/http/problem.ts';
import { Client, HttpHarness } from '../http/support.ts';
import { documentedRoutes, wrongHeaders, type ApiDocument, type DocumentedRoute } from '../support/api-document.ts';
import { Harness } from '../support/harness.ts';

const SEED = 20_261_130;
const REQUESTS_OF_ROUTE = 120;
const AT_ONCE = 20;

let harness: Harness;
let http: HttpHarness;
let routes: readonly DocumentedRoute[];
let ids: Readonly<Record<string, string>>;
let token: string;
beforeAll(async () => {
  harness = await Harness.open();
  await harness.startWorker();
  http = await HttpHarness.start(harness, { texterRequestsPerMinute: 1_000_000, refusedPerMinute: 1_000_000 });
  const client = await http.client();
  const campaignId = await harness.seedCampaign(3, { selfAssign: { enabled: true } });
  const conversationIds = await harness.seedConversations(
    campaignId,
    Array.from({ length: 50 }, () => ({})),
  );
  const operationId = harness.newId('op');
  const deal = { kind: 'reassign', from: 'pool', to: 'everyone', status: 'any', count: 20 };
  const headers = { 'idempotency-key': operationId, prefer: 'wait=20' };
  await client.post(`/v1/campaigns/${campaignId}/operations`, deal, headers);
  ids = { campaignId, texterId: 't1', operationId, conversationId: conversationIds[0] ?? '' };
  const issued = await client.post<{ token: string }>(`/v1/campaigns/${campaignId}/texters/t1/tokens`);
  token = issued.body.token;
  const { body: document } = await client.get<ApiDocument>('/openapi.json');
  // A stream does not end.
  routes = documentedRoutes(document).filter(({ path }) => !path.endsWith('/events'));
});
afterAll(async () => {
  await http.close();
  await harness.close();
});

/** Values that programs confuse with others, and texts of every kind. */
const value = fc.oneof(
  fc.constantFrom<unknown>(null, '', 'pool', 'everyone', 'any', 't1', 0, -1, 1e21, true, [], {}, '\u0000', '__proto__'),
  fc.string({ unit: 'binary', maxLength: 80 }),
  fc.json({ maxDepth: 2 }).map((text): unknown => JSON.parse(text)),
);

/** Each part of an example stays, is another value, or is left out. */
function changed(example: unknown): fc.Arbitrary<unknown> {
  const kept: fc.Arbitrary<unknown> = Array.isArray(example)
    ? fc.tuple(...example.map(changed))
    : typeof example === 'object' && example !== null
      ? fc.record(Object.fromEntries(Object.entries(example).map(([key, part]) => [key, changed(part)])), {
          requiredKeys: [],
        })
      : fc.constant(example);
  return fc.oneof({ weight: 5, arbitrary: kept }, { weight: 1, arbitrary: value });
}

const text = fc.string({ unit: 'grapheme', minLength: 1, maxLength: 70 });
const inPath = (name: string): fc.Arbitrary<string> =>
  fc.oneof({ weight: 6, arbitrary: fc.constant(ids[name] ?? name) }, { weight: 1, arbitrary: text });
/** Headers have only visible characters. */
const inHeader = fc.oneof(fc.stringMatching(/^[!-~]{1,40}$/), fc.constantFrom('wait=0', 'shift-1', 'a'.repeat(65)));

interface Sent {
  readonly url: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: unknown;
}

function requestsTo({ path, parameters, examples }: DocumentedRoute): fc.Arbitrary<Sent> {
  const named = (place: string): string[] => parameters.filter((each) => each.in === place).map(({ name }) => name);
  const all = (place: string, arbitrary: (name: string) => fc.Arbitrary<string>, areRequired = false) =>
    fc.record(
      Object.fromEntries(named(place).map((name) => [name, arbitrary(name)])),
      areRequired ? {} : { requiredKeys: [] },
    ) as fc.Arbitrary<Record<string, string>>;
  return fc
    .record({
      path: all('path', inPath, true),
      query: all('query', () => text),
      headers: all('header', () => inHeader),
      body: examples[0] ? changed(examples[0].value) : fc.constant(undefined),
    })
    .map(({ path: values, query, headers, body }) => {
      const filled = path.replaceAll(/\{(\w+)\}/g, (_, name: string) => encodeURIComponent(values[name] ?? ''));
      return { url: `${filled}?${new URLSearchParams(query).toString()}`, headers, body };
    });
}

/** Sends generated requests to every route. Returns how many were sent. */
async function fuzz(clientOf: (route: DocumentedRoute) => Client): Promise<number> {
  let count = 0;
  for (const [at, route] of routes.entries()) {
    const requests = fc.sample(requestsTo(route), { seed: SEED + at, numRuns: REQUESTS_OF_ROUTE });
    for (let from = 0; from < requests.length; from += AT_ONCE) {
      await Promise.all(requests.slice(from, from + AT_ONCE).map((sent) => check(clientOf(route), route, sent)));
    }
    count += requests.length;
  }
  return count;
}

/** The answer is one of the document, and not that the server has failed. */
async function check(client: Client, route: DocumentedRoute, { url, headers, body }: Sent): Promise<void> {
  const { status, body: answer, headers: sent } = await client.send(route.method, url, { headers, body });
  const shown = { route: route.operationId, url, headers, body, status, answer };
  // A path that fills a place with `/` or `..` is another path.
  const isOtherPath = status === 405 || (status === 404 && String(answer['detail']).startsWith('no route'));
  expect(shown).toMatchObject({ status: expect.toSatisfy((each: number) => each < 500) as number });
  if (!isOtherPath)
    expect({ ...shown, statuses: route.statuses, wrong: wrongHeaders(route, status, sent) }).toMatchObject({
      statuses: expect.arrayContaining([String(status)]) as string[],
      wrong: [],
    });
  if (status >= 400) expect(problemDocument.safeParse(answer).success).toBe(true);
}

/** Everything that is stored. */
async function storedHash(): Promise<string> {
  const hash = createHash('sha256');
  for (const model of Object.values(harness.context.database.models)) {
    const docs = await (model as typeof harness.context.database.models.changes).collection
      .find()
      .sort({ _id: 1 })
      .toArray();
    if (model !== (harness.context.database.models as Record<string, unknown>)['processes'])
      hash.update(JSON.stringify(docs));
  }
  return hash.digest('hex');
}

const isForTexters = ({ security }: DocumentedRoute): boolean => security.some((each) => 'texter' in each);

describe('thousands of generated requests', () => {
  it('change nothing when the key may only read', { timeout: 120_000 }, async () => {
    const reader = await http.client(['read']);
    const before = await storedHash();
    expect(await fuzz(() => reader)).toBeGreaterThan(4_000);
    expect(await storedHash()).toBe(before);
  });

  it('have answers that the document describes, and never an error of the server', { timeout: 120_000 }, async () => {
    const client = await http.client();
    const texter = new Client(http.server.address, token);
    expect(await fuzz((route) => (isForTexters(route) ? texter : client))).toBeGreaterThan(4_000);
  });
});
