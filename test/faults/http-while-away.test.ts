import { afterEach, beforeEach, expect, it } from 'vitest';
import { startServer, type Server } from '../../src/http/server.ts';
import { createLogger } from '../../src/telemetry/logger.ts';
import { Client, HttpHarness } from '../http/support.ts';
import { Harness } from '../support/harness.ts';
import { describeWith, PLAIN_ADDRESSES } from '../support/needs.ts';
import { proxiedMongo, TcpProxy } from '../support/tcp-proxy.ts';
import { until } from '../support/until.ts';

/** A command of a silent connection has a time limit of its own. */
const BACK_WITHIN_MS = 90_000;

/** The server reaches Redis and MongoDB through proxies, which the test can close or silence. */
describeWith(PLAIN_ADDRESSES)('an HTTP server that loses a service', () => {
  let harness: Harness;
  let redis: TcpProxy;
  let mongodb: TcpProxy;
  let server: Server;
  let client: Client;
  beforeEach(async () => {
    harness = await Harness.open();
    redis = await TcpProxy.before(harness.config.queue.redisUrl);
    const proxied = await proxiedMongo(harness.config.mongo.uri);
    mongodb = proxied.proxy;
    const { config } = harness;
    const mongo = { ...config.mongo, uri: proxied.uri };
    const queue = { ...config.queue, redisUrl: redis.url };
    server = await startServer({ ...config, mongo, queue }, createLogger(config.log));
    const direct = await HttpHarness.start(harness);
    const { key } = await direct.client();
    await direct.close();
    client = new Client(server.address, key);
  });
  afterEach(async () => {
    await server.close();
    await Promise.all([redis.close(), mongodb.close()]);
    await harness.close();
  });

  const services = [
    { name: 'Redis', proxy: () => redis },
    { name: 'MongoDB', proxy: () => mongodb },
  ];
  for (const { name, proxy } of services) {
    for (const way of ['away', 'silence'] as const) {
      it(`answers 503 with Retry-After and never 500, and works again afterwards: ${name}, ${way}`, async () => {
        expect((await client.get('/v1/campaigns')).status).toBe(200);
        proxy()[way]();
        const answers = await Promise.all(Array.from({ length: 10 }, () => client.get('/v1/campaigns')));
        for (const { status, headers, body } of answers) {
          expect({ status, code: body['code'], after: headers.get('retry-after') }).toEqual({
            ...{ status: 503, code: 'unavailable', after: '2' },
          });
        }
        const readiness = await until('the server not to be ready', async () => {
          const answer = await client.get('/readyz');
          return answer.status === 503 && answer;
        });
        expect(readiness.body).toMatchObject({ missing: [name] });
        expect(await client.get('/livez')).toMatchObject({ status: 200 });
        proxy().back();
        const works = async () => (await client.get('/v1/campaigns')).status === 200;
        await until('the server to work again', works, BACK_WITHIN_MS);
      }, 120_000);
    }
  }
});
