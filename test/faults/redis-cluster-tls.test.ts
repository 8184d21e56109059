import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { cliEnv, spawnCli, type Ran } from '../support/cli.ts';
import { Certificates, isOpensslInstalled } from '../support/certificates.ts';
import { Harness } from '../support/harness.ts';
import { areOwnServicesPossible } from '../support/own-services.ts';
import { RedisCluster } from '../support/redis-cluster.ts';
import { until } from '../support/until.ts';
import { WorkerProcess } from '../support/worker-process.ts';

const HOST = 'localhost';

/** The database of the test, and no Redis: every process of the test reaches the cluster by itself. */
async function openHarness(): Promise<Harness> {
  const { MONGODB_URI: mongodbUri = '', REDIS_URL: redisUrl = '' } = process.env;
  return Harness.open({}, { mongodbUri, redisUrl });
}

describe.runIf(areOwnServicesPossible && isOpensslInstalled).each([
  ['names its nodes by host name', 'hostname'],
  ['names its nodes by IP address', 'ip'],
] as const)('a cluster with TLS and certificates of host names that %s', (_what, announce) => {
  let certificates: Certificates;
  let cluster: RedisCluster;
  let harness: Harness;

  beforeAll(async () => {
    certificates = new Certificates(HOST);
    cluster = await RedisCluster.start({ certificates, hostName: HOST, announce });
    harness = await openHarness();
  });
  afterAll(async () => {
    await harness.close();
    await cluster.stop();
    certificates.remove();
  });

  const trusting = (): NodeJS.ProcessEnv => ({
    REDIS_URL: cluster.url,
    NODE_EXTRA_CA_CERTS: certificates.authority,
  });

  const baton = (...args: string[]): Promise<Ran> => spawnCli({ ...cliEnv(harness.config), ...trusting() }, args);

  it('is reached by a worker, a producer and doctor', async () => {
    const worker = await WorkerProcess.start(harness, trusting());
    const campaignId = await harness.seedCampaign(1);
    await harness.seedConversations(campaignId, [{}, {}]);
    const moved = await baton('reassign', campaignId, '--from', 'pool', '--to', 't1', '--status', 'any', '--json');
    expect(moved).toMatchObject({ status: 0, err: '' });
    expect(JSON.parse(moved.out)).toMatchObject({ receipt: { moved: 2 } });
    expect((await baton('doctor')).out).toMatch(/^✓ Redis rights +all/m);
    await worker.kill();
  });
});

describe.runIf(areOwnServicesPossible && isOpensslInstalled)('a cluster with TLS that cannot be reached', () => {
  let certificates: Certificates;
  let cluster: RedisCluster;
  let harness: Harness;

  beforeAll(async () => {
    certificates = new Certificates('other.example');
    cluster = await RedisCluster.start({ certificates, hostName: HOST, announce: 'ip' });
    harness = await openHarness();
  });
  afterAll(async () => {
    await harness.close();
    await cluster.stop();
    certificates.remove();
  });

  it.each([
    ['the authority is not known', () => ({}), 'the certificate of Redis is of an unknown authority'],
    [
      'the certificate is for another name',
      () => ({ NODE_EXTRA_CA_CERTS: certificates.authority }),
      'the certificate of Redis is for another name',
    ],
    ['the node does not answer', () => ({ REDIS_URL: 'rediss://127.0.0.1:1,rediss://127.0.0.1:2' }), 'ECONNREFUSED'],
  ])('is named by a worker, a producer and doctor with its cause when %s', async (_what, env, words) => {
    const all = { REDIS_URL: cluster.url, ...env() };
    const worker = WorkerProcess.begin(harness, all, {});
    await until('the worker to name the cause', () => worker.logText.includes(words));
    expect(worker.logText).not.toContain('worker ready');
    expect(worker.logText).not.toContain('Failed to refresh slots cache');
    await worker.kill();
    const run = (...args: string[]): Promise<Ran> => spawnCli({ ...cliEnv(harness.config), ...all }, args);
    const campaignId = await harness.seedCampaign(1);
    const sent = await run('reassign', campaignId, '--from', 'pool', '--to', 't1', '--status', 'any');
    expect(sent.status).not.toBe(0);
    expect(sent.err).toContain(words);
    const doctor = await run('doctor');
    expect(doctor.status).toBe(1);
    expect(doctor.out).toContain(words);
  });
});
