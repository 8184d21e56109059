import { once } from 'node:events';
import { get, type IncomingMessage } from 'node:http';
import { finished } from 'node:stream/promises';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { startServer, type Server } from '../../src/http/server.ts';
import { createLogger } from '../../src/telemetry/logger.ts';
import { HttpHarness, type Client } from '../http/support.ts';
import { Harness } from '../support/harness.ts';
import { describeWith, PLAIN_ADDRESSES } from '../support/needs.ts';
import { proxiedMongo, type TcpProxy } from '../support/tcp-proxy.ts';

/** More than the buffers of two sockets hold. */
const CONVERSATIONS = 60_000;

describeWith(PLAIN_ADDRESSES)('a large export over HTTP', () => {
  let harness: Harness;
  let http: HttpHarness;
  let client: Client;
  let mongodb: TcpProxy;
  let server: Server;
  let campaignId: string;
  beforeAll(async () => {
    harness = await Harness.open();
    await harness.startWorker();
    http = await HttpHarness.start(harness);
    client = await http.client();
    const proxied = await proxiedMongo(harness.config.mongo.uri);
    mongodb = proxied.proxy;
    const mongo = { ...harness.config.mongo, uri: proxied.uri };
    server = await startServer({ ...harness.config, mongo }, createLogger(harness.config.log));
    campaignId = await harness.seedCampaign(2);
    const name = 'x'.repeat(190);
    await harness.seedConversations(
      campaignId,
      Array.from({ length: CONVERSATIONS }, () => ({ name })),
    );
  }, 120_000);
  afterAll(async () => {
    await Promise.all([http.close(), server.close()]);
    await mongodb.close();
    await harness.close();
  });

  /** Begins an export, and reads nothing of it. */
  async function begin(address: string): Promise<IncomingMessage> {
    const headers = { authorization: `Bearer ${client.key}` };
    const request = get(`${address}/v1/campaigns/${campaignId}/conversations.csv`, { headers, agent: false });
    const [response] = (await once(request, 'response')) as [IncomingMessage];
    await once(response, 'readable');
    return response;
  }

  it('delays nobody while it is read slowly, and has every conversation in the end', async () => {
    const response = await begin(http.server.address);
    const body = { kind: 'reassign', from: 'pool', to: 'everyone', status: 'any', count: 3_000 };
    const headers = { 'idempotency-key': harness.newId('op'), prefer: 'wait=30' };
    const moved = await client.post(`/v1/campaigns/${campaignId}/operations`, body, headers);
    expect(moved).toMatchObject({ status: 200, body: { state: 'done', receipt: { moved: 3_000 } } });
    expect(response.readableEnded).toBe(false);
    let lines = 0;
    for await (const piece of response as AsyncIterable<Buffer>) lines += piece.toString().split('\n').length - 1;
    expect(lines).toBe(CONVERSATIONS + 1);
  }, 120_000);

  it('breaks its connection when the database fails half-way', async () => {
    const response = await begin(server.address);
    mongodb.away();
    response.resume();
    await expect(finished(response)).rejects.toMatchObject({ code: 'ECONNRESET' });
    expect(response.complete).toBe(false);
    mongodb.back();
  }, 120_000);
});
