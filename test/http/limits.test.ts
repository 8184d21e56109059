import { once } from 'node:events';
import { request, type ClientRequest, type IncomingMessage } from 'node:http';
import { connect, type Socket } from 'node:net';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { readConfig } from '../../src/config.ts';
import { Harness } from '../support/harness.ts';
import { phoneOf } from '../support/phones.ts';
import { until } from '../support/until.ts';
import { EventStream } from './event-stream.ts';
import { Client, HttpHarness } from './support.ts';

let harness: Harness;
let http: HttpHarness;
let client: Client;
let campaignId: string;
beforeAll(async () => {
  harness = await Harness.open();
  http = await HttpHarness.start(harness);
  client = await http.client();
  campaignId = await harness.seedCampaign(1);
});
afterAll(async () => {
  await http.close();
  await harness.close();
});

describe('a proxy that names the client', () => {
  /** Sends refused requests for two clients, and returns what is left for the address that the server counts. */
  async function countedFor(server: HttpHarness, proxied: string): Promise<string> {
    const refused = new Client(server.server.address, 'baton_x');
    const { status, headers } = await refused.get('/v1/campaigns', { 'x-forwarded-for': proxied });
    expect(status).toBe(401);
    return /r=(\d+)/.exec(headers.get('ratelimit') ?? '')?.[1] ?? '';
  }

  it('is believed only when its address is on the list', async () => {
    const limit = { refusedPerMinute: 100 };
    const listed = await HttpHarness.start(harness, { ...limit, proxies: ['10.0.0.0/8', '127.0.0.0/8'] });
    const unlisted = await HttpHarness.start(harness, { ...limit, proxies: ['10.0.0.0/8'] });
    try {
      expect(await countedFor(listed, '192.0.2.1')).toBe('99');
      expect(await countedFor(listed, '192.0.2.2')).toBe('99');
      expect(await countedFor(listed, '192.0.2.1')).toBe('98');
      // A client can write more than the proxy does: the newest address that is no proxy counts.
      expect(await countedFor(listed, '198.51.100.9, 192.0.2.2, 10.0.0.7')).toBe('98');
      const before = Number(await countedFor(unlisted, '192.0.2.3'));
      expect(Number(await countedFor(unlisted, '192.0.2.4'))).toBe(before - 1);
    } finally {
      await Promise.all([listed.close(), unlisted.close()]);
    }
  });

  it('is an address or a network that exists', () => {
    const read = (BATON_HTTP_PROXIES: string) =>
      readConfig({ MONGODB_URI: 'mongodb://x/y', REDIS_URL: 'redis://x', BATON_HTTP_PROXIES }).http.proxies;
    expect(read('10.0.0.0/8, ::1,2001:db8::/128')).toEqual(['10.0.0.0/8', '::1', '2001:db8::/128']);
    for (const wrong of ['10.0.0.0/33', '10.0.0.0/0', '2001:db8::/129', 'proxy', '10.0.0.0/', '10.0.0.0/8/8']) {
      expect(() => read(wrong)).toThrow('addresses or networks');
    }
  });
});

describe('the limit of connections', () => {
  it('closes one more at once, and accepts another when one has ended', async () => {
    const small = await HttpHarness.start(harness, { connectionsMax: 2 });
    const { port, hostname } = new URL(small.server.address);
    const open = async (): Promise<Socket> => {
      const socket = connect(Number(port), hostname);
      socket.on('error', () => undefined);
      await once(socket, 'connect');
      return socket;
    };
    const answers = async (socket: Socket): Promise<boolean> => {
      socket.write('GET /livez HTTP/1.1\r\nHost: x\r\n\r\n');
      return Promise.race([once(socket, 'data').then(() => true), once(socket, 'close').then(() => false)]);
    };
    const [first, second] = [await open(), await open()];
    expect([await answers(first), await answers(second), await answers(await open())]).toEqual([true, true, false]);
    first.destroy();
    await until('a place', async () => answers(await open()));
    second.destroy();
    await small.close();
  });
});

describe('the limit of large imports at once', () => {
  const AT_ONCE = 4;

  /** The requests that were answered before their ends. */
  const refusedOnes = new Set<ClientRequest>();

  /** Begins to send rows, and does not end. */
  function begin(): ClientRequest {
    const sending = request(`${client.address}/v1/campaigns/${campaignId}/conversations`, {
      method: 'POST',
      headers: { authorization: `Bearer ${client.key}`, 'content-type': 'application/x-ndjson' },
    });
    sending.on('error', () => undefined);
    sending.once('response', (answer) => {
      if (answer.statusCode === 503) refusedOnes.add(sending);
      answer.resume();
    });
    sending.write(`${JSON.stringify({ name: 'Alma', phone: phoneOf(1) })}\n`);
    return sending;
  }

  it('answers one more with 503 and the time to wait, and takes it when another has ended', async () => {
    let running = Array.from({ length: AT_ONCE }, begin);
    const sendOne = () =>
      client.post(`/v1/campaigns/${campaignId}/conversations`, [{ name: 'Ben', phone: phoneOf(2) }]);
    const refused = await until('a refusal', async () => {
      const answer = await sendOne();
      // One of them was refused if the single import came before it.
      running = running.map((each) => (refusedOnes.has(each) ? begin() : each));
      return answer.status === 503 && answer;
    });
    expect(refused.body).toMatchObject({ code: 'busy' });
    expect(Number(refused.headers.get('retry-after'))).toBeGreaterThan(0);
    const [first, ...others] = running;
    first?.end();
    const [answer] = (await once(first as ClientRequest, 'response')) as [IncomingMessage];
    expect(answer.resume().statusCode).toBe(200);
    expect((await sendOne()).status).toBe(200);
    for (const each of others) each.destroy();
  });
});

describe('the limit of streams', () => {
  it('refuses one more of a texter with the time to wait', async () => {
    const { body } = await client.post<{ token: string }>(`/v1/campaigns/${campaignId}/texters/t1/tokens`);
    const me = new Client(client.address, body.token);
    const streams = await Promise.all(Array.from({ length: 5 }, () => EventStream.open(me, '/v1/me/events')));
    const refused = await me.get('/v1/me/events');
    expect(refused).toMatchObject({ status: 429, body: { code: 'too-many-streams' } });
    expect(Number(refused.headers.get('retry-after'))).toBeGreaterThan(0);
    for (const stream of streams) stream.close();
    await until('a place', async () => (await me.get('/v1/me/events')).status === 200);
  });
});
