import { randomBytes } from 'node:crypto';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { createOrganisation, rotateSigningKey, SigningKeys } from '../../src/access/index.ts';
import { addressKey } from '../../src/http/rate-limit.ts';
import { Cli, cliEnv } from '../support/cli.ts';
import { Harness } from '../support/harness.ts';
import { resigned, serverToken, TokenSigner } from '../support/tokens.ts';
import { Client, HttpHarness } from './support.ts';

let harness: Harness;
let http: HttpHarness;
let acme: Client;
beforeAll(async () => {
  harness = await Harness.open();
  http = await HttpHarness.start(harness);
  for (const id of ['acme', 'other']) await createOrganisation(harness.context, id, id);
  acme = await http.client(undefined, 'acme');
  await harness.seedCampaign(2, { campaignId: 'acme~c1' });
  await harness.seedCampaign(1, { campaignId: 'other~c1' });
});
afterAll(async () => {
  await http.close();
  await harness.close();
});

const TOKENS = '/v1/campaigns/c1/texters/t1/tokens';
const me = (token: string) => new Client(http.server.address, token).get('/v1/me');
const refusal = (token: string) => new Client(http.server.address, token).problem('GET', '/v1/me');

async function issued(texterId = 't1'): Promise<string> {
  const { status, body } = await acme.post<{ token: string }>(`/v1/campaigns/c1/texters/${texterId}/tokens`);
  expect(status).toBe(201);
  return body.token;
}

async function expectRefused(tokens: Readonly<Record<string, string>>, code = 'token-refused'): Promise<void> {
  for (const [name, token] of Object.entries(tokens)) {
    expect({ name, ...(await refusal(token)) }).toMatchObject({ name, status: 401, code });
  }
}

describe('a token that the server has issued', () => {
  it('lets a texter in, for at most 15 minutes', async () => {
    const issuing = await acme.post<{ token: string; expiresAt: string }>(TOKENS, { seconds: 60 });
    expect(issuing).toMatchObject({ status: 201, body: { campaignId: 'c1', texterId: 't1' } });
    const leftMs = Date.parse(issuing.body.expiresAt) - Date.now();
    expect(leftMs).toBeLessThanOrEqual(60_000);
    expect(await me(issuing.body.token)).toMatchObject({
      status: 200,
      body: { texterId: 't1', campaign: { campaignId: 'c1' }, counts: { 'not-started': 0 } },
    });
    expect(await acme.problem('POST', TOKENS, { body: { seconds: 901 } })).toMatchObject({ code: 'bad-request' });
  });

  it('is refused when it has expired, has another signature or algorithm, or is no token', async () => {
    const token = await issued();
    const { context } = harness;
    const [{ publicPart } = { publicPart: '' }] = await context.signingKeys.read();
    const [head, payload, signature = ''] = token.split('.');
    const other = await TokenSigner.create();
    await expectRefused({
      none: resigned(token, 'none'),
      'none in capitals': resigned(token, 'none').replace(
        /^[^.]+/,
        Buffer.from('{"alg":"NONE"}').toString('base64url'),
      ),
      'HS256 with the public key': resigned(token, 'HS256', publicPart),
      'HS256 with the bytes of the public key': resigned(
        token,
        'HS256',
        Buffer.from(publicPart, 'base64url').toString('latin1'),
      ),
      'a changed payload': `${head}.${Buffer.from('{"sub":"t2"}').toString('base64url')}.${signature}`,
      'no signature': `${head}.${payload}.`,
      'another signature': `${head}.${payload}.${signature.split('').reverse().join('')}`,
      'the issuer without its key': await other.sign({ iss: 'urn:baton:server' }),
      'an API key': acme.key ?? '',
      'a long text': 'x'.repeat(10_000),
      'no JSON': 'a.b.c',
    });
    const subject = { organisationId: 'acme', campaignId: 'c1', texterId: 't1' };
    expect((await me(await serverToken(harness, subject, 620))).status).toBe(200);
    await expectRefused({ old: await serverToken(harness, subject, 640) }, 'token-expired');
    await expectRefused({ 'from the future': await serverToken(harness, subject, -60) });
    expect(await acme.problem('GET', '/v1/campaigns', { headers: { authorization: `Bearer ${token}` } })).toMatchObject(
      {
        code: 'key-refused',
      },
    );
  });

  it('is refused once it is revoked, and while the texter is not on the campaign, but not during a pause', async () => {
    const [first, second] = [await issued(), await issued('t2')];
    await acme.post('/v1/campaigns/c1/texters/pause', { texterIds: ['t1'] });
    expect(await me(first)).toMatchObject({ status: 200, body: { active: false } });
    expect(await acme.post(`${TOKENS}/revoke`)).toMatchObject({ status: 200, body: { tokenVersion: 1 } });
    await expectRefused({ revoked: first });
    expect((await me(second)).status).toBe(200);
    expect((await me(await issued())).status).toBe(200);
    await acme.post('/v1/campaigns/c1/texters/remove', { texterIds: ['t2'] });
    await expectRefused({ removed: second });
    await new Cli(cliEnv(harness.config)).json(['texter', 'restore', 'acme~c1', 't2']);
    await expectRefused({ restored: second });
    expect((await me(await issued('t2'))).status).toBe(200);
    const [change] = (await harness.context.changes.list('acme', 50)).filter(({ kind }) => kind === 'tokens-revoked');
    expect(change).toMatchObject({ subjectIds: ['t1'], campaignId: 'acme~c1', outcome: 'done' });
  });
});

describe('the key of the servers', () => {
  it('is created once, however many servers need it first', async () => {
    const fresh = await Harness.open();
    try {
      const servers = Array.from({ length: 5 }, () => new SigningKeys(fresh.context));
      const kids = await Promise.all(servers.map(async (keys) => (await keys.current()).kid));
      expect(new Set(kids).size).toBe(1);
    } finally {
      await fresh.close();
    }
  });

  it('is replaced without ending tokens, and its private part is deleted; dropped keys end all tokens', async () => {
    const before = await issued();
    await rotateSigningKey(harness.context, { drop: false });
    const newer = new SigningKeys(harness.context);
    const subject = { organisationId: 'acme', campaignId: 'c1', texterId: 't1', tokenVersion: 1 };
    const after = await serverToken(harness, subject);
    for (const token of [before, after]) expect((await me(token)).status).toBe(200);
    const [newest, ...older] = await harness.context.signingKeys.read();
    expect((await newer.current()).kid).toBe(newest?.kid);
    expect(older).toMatchObject([{ privatePart: null }]);
    expect(await harness.context.changes.list('default', 1)).toMatchObject([{ kind: 'signing-key-rotated' }]);
    await new Cli(cliEnv(harness.config)).json(['key', 'rotate-signing-key', '--drop']);
    // A running server finds this out within seconds. This one has just started.
    const started = new SigningKeys(harness.context);
    for (const { kid } of [newest, ...older].flatMap((key) => key ?? []))
      expect(await started.find(kid)).toBeUndefined();
  });
});

describe('a token that an organisation has signed', () => {
  let signer: TokenSigner;
  const register = (...signers: TokenSigner[]) =>
    acme.send('PUT', '/v1/token-keys', { body: { keys: signers.map(({ publicKey }) => publicKey) } });
  beforeAll(async () => {
    signer = await TokenSigner.create('EdDSA', randomBytes(8).toString('hex'));
  });
  beforeEach(async () => {
    await acme.post('/v1/campaigns/c1/texters', { texters: [{ texterId: 't3', name: 'Three' }] });
    expect((await register(signer)).status).toBe(200);
  });
  const of3 = { sub: 't3' };

  it('lets a texter in while its key is registered', async () => {
    const others = [await TokenSigner.create('ES256'), await TokenSigner.create('RS256')];
    await register(signer, ...others);
    for (const each of [signer, ...others]) {
      expect(await me(await each.sign(of3))).toMatchObject({ status: 200, body: { texterId: 't3' } });
    }
    await register(...others);
    await expectRefused({ unregistered: await signer.sign(of3) });
    expect(await acme.get('/v1/token-keys')).toMatchObject({
      body: { keys: [{ kid: 'k-ES256' }, { kid: 'k-RS256' }] },
    });
  });

  it('is refused when a claim is missing, is too long valid, or is for another service or organisation', async () => {
    const nowS = Math.floor(Date.now() / 1_000);
    await expectRefused({
      'another audience': await signer.sign({ ...of3, aud: 'https://crm.example.org' }),
      'no audience': await signer.sign({ ...of3, aud: undefined }),
      'another organisation': await signer.sign({ sub: 't1', iss: 'urn:baton:organisation:other' }),
      'the default organisation': await signer.sign({ ...of3, iss: 'urn:baton:organisation:default' }),
      'the issuer of the servers': await signer.sign({ ...of3, iss: 'urn:baton:server', organisationId: 'acme' }),
      'a stored id': await signer.sign({ ...of3, campaignId: 'other~c1' }),
      'no end': await signer.sign({ ...of3, exp: undefined }),
      'no beginning': await signer.sign({ ...of3, iat: undefined }),
      'an hour': await signer.sign({ ...of3, exp: nowS + 3_600 }),
      'an unknown texter': await signer.sign({ sub: 't9' }),
      'another key id': await signer.sign(of3, { kid: 'k2' }),
      none: resigned(await signer.sign(of3), 'none'),
      'HS256 with the public key': resigned(await signer.sign(of3), 'HS256', JSON.stringify(signer.publicKey)),
    });
    const old = {
      expired: await signer.sign({ ...of3, iat: nowS - 600, exp: nowS - 60 }),
      'begun an hour ago': await signer.sign({ ...of3, iat: nowS - 3_600, exp: nowS + 60 }),
    };
    await expectRefused(old, 'token-expired');
  });

  it('needs the version that revoking answers, after the tokens of the texter were revoked', async () => {
    const { body } = await acme.post<{ tokenVersion: number }>('/v1/campaigns/c1/texters/t3/tokens/revoke');
    await expectRefused({ old: await signer.sign(of3) });
    const { tokenVersion } = body;
    expect((await me(await signer.sign({ ...of3, tokenVersion }))).status).toBe(200);
  });

  it('needs a public key: private, secret, weak, broken and repeated keys are refused and change nothing', async () => {
    const { publicKey } = signer;
    const bad: Readonly<Record<string, readonly object[]>> = {
      private: [{ ...publicKey, d: 'AAAA' }],
      secret: [{ kty: 'oct', kid: 'a', k: 'AAAA' }],
      weak: [{ kty: 'RSA', kid: 'a', n: 'AQAB', e: 'AQAB' }],
      broken: [{ ...publicKey, x: 'AAAA' }],
      'of another use': [{ ...publicKey, use: 'enc' }],
      repeated: [publicKey, publicKey],
      many: Array.from({ length: 11 }, (_, at) => ({ ...publicKey, kid: `k${at}` })),
    };
    for (const [name, keys] of Object.entries(bad)) {
      const problem = await acme.problem('PUT', '/v1/token-keys', { body: { keys } });
      expect({ name, ...problem }).toMatchObject({ name, status: 400, code: 'bad-request' });
      expect(JSON.stringify(problem)).not.toContain('AAAA');
    }
    expect(await acme.get('/v1/token-keys')).toMatchObject({ body: { keys: [{ kid: publicKey.kid }] } });
  });

  it('can have its key registered from a file on the command line', async () => {
    const cli = new Cli(cliEnv(harness.config));
    const keys = JSON.stringify({ keys: [{ ...signer.publicKey, alg: 'EdDSA', use: 'sig', x5t: 'other' }] });
    const set = (text: string) => cli.run(['organisation', 'token-keys', 'acme', '-'], text);
    expect((await set(keys)).out).toContain(signer.publicKey.kid);
    expect((await me(await signer.sign({ sub: 't3', tokenVersion: 1 }))).status).toBe(200);
    expect((await set('{')).status).toBe(2);
    expect((await set('{"keys":[]}')).status).toBe(0);
    await expectRefused({ ended: await signer.sign({ sub: 't3', tokenVersion: 1 }) });
  });
});

describe('the limits of requests', () => {
  it('count those of a texter over all tokens, and refused ones by their address', async () => {
    const limited = await HttpHarness.start(harness, { texterRequestsPerMinute: 2, refusedPerMinute: 3 });
    try {
      await acme.post('/v1/campaigns/c1/texters', { texters: [{ texterId: 't4', name: 'Four' }] });
      const token = await issued('t4');
      const send = (text: string) => new Client(limited.server.address, text).get('/v1/me');
      const first = await send(token);
      expect(first.headers.get('ratelimit-policy')).toBe('"default";q=2;w=60');
      expect(first).toMatchObject({ status: 200 });
      await send(await issued('t4'));
      const refused = await send(await issued('t4'));
      expect(refused).toMatchObject({ status: 429, body: { code: 'rate-limited' } });
      expect(Number(refused.headers.get('retry-after'))).toBeGreaterThan(0);
      const statuses: number[] = [];
      for (const text of [token.slice(1), 'baton_x', 'x', 'y']) statuses.push((await send(text)).status);
      expect(statuses.at(-1)).toBe(429);
      expect((await new Client(limited.server.address, acme.key).get('/v1/campaigns')).status).toBe(200);
    } finally {
      await limited.close();
    }
  });

  it('take all addresses of an IPv6 network for one client, and store no address', () => {
    expect(addressKey('2001:db8::1')).toBe(addressKey('2001:0db8:0:0:ffff::2'));
    expect(addressKey('2001:db8::1')).not.toBe(addressKey('2001:db8:0:1::1'));
    expect(addressKey('10.0.0.1')).not.toBe(addressKey('10.0.0.2'));
    expect(addressKey('10.0.0.1')).not.toContain('10.0');
  });
});
