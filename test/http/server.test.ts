import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { parseKey } from '../../src/access/index.ts';
import { Cli, cliEnv } from '../support/cli.ts';
import { Harness } from '../support/harness.ts';
import { Client, HttpHarness } from './support.ts';

let harness: Harness;
let http: HttpHarness;
let client: Client;
beforeAll(async () => {
  harness = await Harness.open();
  http = await HttpHarness.start(harness);
  client = await http.client();
});
afterAll(async () => {
  await http.close();
  await harness.close();
});

const raw = (text: string): Promise<string> => http.raw(text);

describe('the server', () => {
  it('says without a key that it lives and that it is ready', async () => {
    const stranger = new Client(http.server.address);
    expect(await stranger.get('/livez')).toMatchObject({ status: 200, body: { live: true } });
    expect(await stranger.get('/readyz')).toMatchObject({ status: 200, body: { ready: true, missing: [] } });
  });

  it('answers an unknown path and a wrong method with problem documents', async () => {
    expect(await client.problem('GET', '/v1/nowhere')).toMatchObject({ status: 404, code: 'not-found' });
    // Node's fetch sends no TRACE.
    for (const method of ['DELETE', 'PROPFIND']) {
      const answer = await client.send(method, '/v1/campaigns?limit=2');
      expect(answer).toMatchObject({ status: 405, body: { code: 'method-not-allowed' } });
      expect(answer.headers.get('allow')).toBe('POST, GET');
    }
    const traced = await raw('TRACE /v1/campaigns/c_x/senders HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n');
    expect(traced).toMatch(/^HTTP\/1\.1 405 [\s\S]*allow: GET\r\n/);
  });

  it('refuses an unknown path before it reads a body', async () => {
    const sending = { body: 'x', headers: { 'content-type': 'text/plain' } };
    expect(await client.problem('POST', '/v1/nowhere', sending)).toMatchObject({ status: 404 });
    expect(await client.problem('DELETE', '/v1/campaigns', sending)).toMatchObject({ status: 405 });
  });

  it('answers a path that cannot be read, or has a part that is too long, without repeating it', async () => {
    const paths = [
      { part: '%zz', status: 400, code: 'malformed-request' },
      { part: 'x'.repeat(201), status: 404, code: 'not-found' },
    ];
    for (const { part, status, code } of paths) {
      const answer = await client.get(`/v1/campaigns/${part}`);
      expect(answer).toMatchObject({ status, body: { status, code } });
      expect(answer.headers.get('content-type')).toContain('application/problem+json');
      expect(answer.headers.get('x-request-id')).toBe(answer.body['requestId']);
      expect(answer.headers.get('cache-control')).toBe('no-store');
      expect(JSON.stringify(answer.body)).not.toContain(part);
    }
  });

  it('takes an empty body as none, and refuses the body null', async () => {
    const campaignId = await harness.seedCampaign(1);
    const close = (body: string) =>
      fetch(`${http.server.address}/v1/campaigns/${campaignId}/close`, {
        method: 'POST',
        headers: { authorization: `Bearer ${client.key}`, 'content-type': 'application/json' },
        body,
      });
    const refused = await close('null');
    expect(refused.status).toBe(400);
    expect(await refused.json()).toMatchObject({ code: 'bad-request', errors: [{ pointer: '#' }] });
    expect((await client.get(`/v1/campaigns/${campaignId}`)).body).toMatchObject({ closed: false });
    expect((await close('')).status).toBe(200);
    expect(
      await client.problem('POST', '/v1/campaigns', { headers: { 'content-type': 'application/json' } }),
    ).toMatchObject({
      status: 400,
    });
  });

  it('points to a name that nobody could read, and to a country that is none', async () => {
    const body = { name: 'Rally', country: 'Germany' };
    expect(await client.problem('POST', '/v1/campaigns', { body })).toMatchObject({
      errors: [{ pointer: '#/country', detail: 'must be an ISO 3166 code of two letters, such as US' }],
    });
    for (const [name, detail] of [
      ['\u200b', 'must have a visible character'],
      ['A\u0007', 'must not contain control characters'],
    ]) {
      const problem = await client.problem('POST', '/v1/campaigns', { body: { name } });
      expect(problem).toMatchObject({ status: 400, errors: [{ pointer: '#/name', detail }] });
    }
  });

  it('reads an operation or texter that is named like a path, and answers the methods that neither has with 405', async () => {
    const campaignId = await harness.seedCampaign(1);
    for (const path of ['operations/preview', 'texters/pause', 'texters/resume', 'texters/remove']) {
      const url = `/v1/campaigns/${campaignId}/${path}`;
      const problem = await client.problem('GET', url);
      expect({ path, ...problem }).toMatchObject({ path, status: 404, code: 'not-found' });
      expect((await client.send('PUT', url)).headers.get('allow')).toMatch(/POST, GET|GET.*POST/);
    }
  });

  it('answers OPTIONS without the headers of a preflight request', async () => {
    expect(await client.send('OPTIONS', '/v1/campaigns')).toMatchObject({ status: 204, body: {} });
  });

  it('names the key of a map in the list of wrong values only, because it can be a name or a phone number', async () => {
    const campaignId = await harness.seedCampaign(1);
    for (const key of ['Alma', '+12025550101']) {
      const body = { kind: 'reassign', from: 'pool', status: 'any', to: { counts: { [key]: 0 } } };
      const sending = { body, headers: { 'idempotency-key': 'o1' } };
      const { errors, ...texts } = await client.problem('POST', `/v1/campaigns/${campaignId}/operations`, sending);
      expect(errors).toMatchObject([{ pointer: `#/to/counts/${key}` }]);
      expect(texts.detail).toContain(`#/to/counts/(a text of ${key.length} characters)`);
      expect(JSON.stringify(texts)).not.toContain(key);
    }
  });

  it('names every wrong value of a body by a JSON pointer, and quotes none of them', async () => {
    const body = { name: 'Rally', selfAssign: { batchMax: 'Alma +12025550101' }, extra: 1 };
    const problem = await client.problem('POST', '/v1/campaigns', { body });
    expect(problem).toMatchObject({ status: 400, code: 'bad-request', type: 'urn:baton:problem:bad-request' });
    expect(problem.errors?.map(({ pointer }) => pointer).sort()).toEqual(['#', '#/selfAssign/batchMax']);
    expect(JSON.stringify(problem)).not.toContain('2025550101');
    expect(problem.instance).toContain(problem.requestId);
  });

  it('refuses bodies that are too large, of another type, or no JSON', async () => {
    const large = { body: { name: 'x'.repeat(2 * 1024 * 1024) } };
    expect(await client.problem('POST', '/v1/campaigns', large)).toMatchObject({ status: 413, code: 'body-too-large' });
    const text = { 'content-type': 'text/plain' };
    const problem = await client.problem('POST', '/v1/campaigns', { body: {}, headers: text });
    expect(problem).toMatchObject({ status: 415, code: 'media-type-unsupported' });
    const head = `POST /v1/campaigns HTTP/1.1\r\nHost: x\r\nConnection: close\r\nAuthorization: Bearer ${client.key}\r\n`;
    const answer = await raw(`${head}Content-Type: application/json\r\nContent-Length: 3\r\n\r\n{a}`);
    expect(answer).toContain('HTTP/1.1 400');
    expect(answer).toContain('"code":"malformed-request"');
  });

  it('answers headers that are too large and text that is no request with problem documents', async () => {
    expect(await raw(`GET / HTTP/1.1\r\nX: ${'x'.repeat(20_000)}\r\n\r\n`)).toContain('"code":"headers-too-large"');
    const answer = await raw('hello\r\n\r\n');
    expect(answer).toContain('"code":"malformed-request"');
    const [, requestId = 'none'] = /^X-Request-Id: (.+)\r$/m.exec(answer) ?? [];
    expect(answer).toContain(`"requestId":"${requestId}"`);
    expect(answer).toContain('\r\nCache-Control: no-store\r\n');
  });
});

describe('a page in a browser', () => {
  const origin = 'https://app.example.org';

  it('can read refusals too, and use every method of the API', async () => {
    const open = await HttpHarness.start(harness, { corsOrigins: [origin] });
    try {
      const caller = await open.client(['read']);
      const stranger = new Client(open.server.address);
      const refusals = [
        { status: 401, answer: await stranger.get('/v1/campaigns', { origin }) },
        { status: 403, answer: await caller.post('/v1/campaigns', { name: 'Rally' }, { origin }) },
        { status: 404, answer: await caller.get('/v1/campaigns/nowhere', { origin }) },
        { status: 405, answer: await caller.send('DELETE', '/v1/campaigns', { headers: { origin } }) },
      ];
      for (const { status, answer } of refusals) {
        expect(answer.status).toBe(status);
        expect(answer.headers.get('access-control-allow-origin')).toBe(origin);
        expect(answer.headers.get('access-control-expose-headers')).toContain('X-Request-Id');
      }
      const preflight = { origin, 'access-control-request-method': 'PATCH' };
      const { status, headers } = await stranger.send('OPTIONS', '/v1/campaigns/c1', { headers: preflight });
      expect(status).toBe(204);
      expect(headers.get('access-control-allow-methods')).toBe('GET, POST, PUT, PATCH');
      expect(headers.get('x-request-id')).toMatch(/^[0-9a-f-]{36}$/);
    } finally {
      await open.close();
    }
  });

  it('of another origin can read nothing', async () => {
    const { headers } = await client.get('/v1/campaigns', { origin });
    expect(headers.get('access-control-allow-origin')).toBe(null);
  });
});

describe('API keys', () => {
  it('are refused with one answer when they are missing, mistyped, unknown, wrong or revoked', async () => {
    const of = (key?: string) => new Client(http.server.address, key).problem('GET', '/v1/campaigns');
    expect(await of()).toMatchObject({ status: 401, code: 'key-missing' });
    const key = client.key ?? '';
    const other = (await http.client()).key ?? '';
    const mixed = [...key.split('_').slice(0, 2), ...other.split('_').slice(2)].join('_');
    for (const wrong of ['baton_x', `${key}0`, key.replace(/.$/, key.endsWith('0') ? '1' : '0'), mixed]) {
      expect(await of(wrong)).toMatchObject({ status: 401, code: 'key-refused' });
    }
  });

  it('stop working at once when they are revoked, also after the server has used them', async () => {
    const revoked = await http.client();
    expect((await revoked.get('/v1/campaigns')).status).toBe(200);
    const { keyId = '' } = parseKey(revoked.key ?? '') ?? {};
    await new Cli(cliEnv(harness.config)).json(['key', 'revoke', keyId]);
    expect((await revoked.get('/v1/campaigns')).status).toBe(401);
  });

  it('can do only what their scopes allow', async () => {
    const reader = await http.client(['read']);
    expect((await reader.get('/v1/campaigns')).status).toBe(200);
    const problem = await reader.problem('POST', '/v1/campaigns', { body: { name: 'Rally' } });
    expect(problem).toMatchObject({ status: 403, code: 'scope-missing' });
  });
});

describe('the limit of requests', () => {
  it('is in the headers of every answer, and refuses more with the time to wait', async () => {
    const limited = await HttpHarness.start(harness, { keyRequestsPerMinute: 2 });
    try {
      const caller = await limited.client();
      const first = await caller.get('/v1/campaigns');
      expect(first.headers.get('ratelimit-policy')).toBe('"default";q=2;w=60');
      expect(first.headers.get('ratelimit')).toMatch(/^"default";r=1;t=\d+$/);
      await caller.get('/v1/campaigns');
      const refused = await caller.get('/v1/campaigns');
      expect(refused).toMatchObject({ status: 429, body: { code: 'rate-limited' } });
      expect(Number(refused.headers.get('retry-after'))).toBeGreaterThan(0);
    } finally {
      await limited.close();
    }
  });
});
