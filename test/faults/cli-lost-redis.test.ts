import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Cli, cliEnv } from '../support/cli.ts';
import { Harness, many } from '../support/harness.ts';
import { TcpProxy } from '../support/tcp-proxy.ts';
import { until } from '../support/until.ts';

const LOST =
  /the connection to Redis failed: .*; the operation may continue\. To see what became of it: baton operation lost\n/;

describe('a command that waits while the connection to Redis is lost', () => {
  let harness: Harness;
  let proxy: TcpProxy;
  beforeAll(async () => {
    harness = await Harness.open();
    proxy = await TcpProxy.before(harness.config.queue.redisUrl);
  });
  afterAll(async () => {
    await proxy.close();
    await harness.close();
  });

  it('says at once that the operation may continue, and how to look it up', async () => {
    const campaignId = await harness.seedCampaign(1);
    await harness.seedConversations(campaignId, many(3));
    const env = cliEnv(harness.config);
    const move = ['reassign', campaignId, '--from', 'pool', '--to', 't1', '--status', 'any', '--id', 'lost'];
    const ran = new Cli({ ...env, REDIS_URL: proxy.url, BATON_LOG_LEVEL: 'info' }).run([...move, '--wait', '4']);
    const sent = async (): Promise<boolean> =>
      (await new Cli(env).run(['operation', 'lost'])).out.includes('no worker has accepted it yet');
    await until('the operation to be sent', sent);
    proxy.away();
    expect((await ran).err).toMatch(LOST);
  });
});
