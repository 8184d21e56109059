import { randomUUID } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { connectWorker, type RedisConnection } from '../../src/queue/connection.ts';
import { keepAlive } from '../../src/queue/heartbeat.ts';
import { testConfig } from '../support/harness.ts';
import { areOwnServicesPossible } from '../support/own-services.ts';
import { RedisCluster } from '../support/redis-cluster.ts';
import { TcpProxy } from '../support/tcp-proxy.ts';
import { until } from '../support/until.ts';

const TIMES = { silenceMs: 1_000, keepAliveMs: 200 };

/** Listens over one connection and publishes over another until a message arrives. */
class Listener {
  readonly channel = `test:${randomUUID()}`;
  private readonly listening: RedisConnection;
  private readonly publishing: RedisConnection;
  private received = 0;

  constructor(listeningUrl: string, publishingUrl: string) {
    this.listening = connectWorker(listeningUrl, () => undefined, TIMES);
    this.publishing = connectWorker(publishingUrl, () => undefined, TIMES);
    this.listening.on('message', () => (this.received += 1));
  }

  async during(act: () => Promise<void>): Promise<void> {
    const subscribe = (): Promise<unknown> => this.listening.subscribe(this.channel);
    await subscribe();
    const stop = keepAlive(this.listening, TIMES, subscribe);
    try {
      await this.receives();
      await act();
      await this.receives();
    } finally {
      stop();
      this.listening.disconnect();
      this.publishing.disconnect();
    }
  }

  private async receives(): Promise<void> {
    const before = this.received;
    await until('a message to arrive', async () => {
      await this.publishing.publish(this.channel, 'hello');
      return this.received > before;
    });
  }
}

describe('a connection that only listens', () => {
  it('is replaced when the other end has vanished', async () => {
    const { redisUrl } = testConfig().queue;
    const proxy = await TcpProxy.before(redisUrl);
    await new Listener(proxy.url, redisUrl).during(() => {
      proxy.silence();
      proxy.back();
      return Promise.resolve();
    });
    await proxy.close();
  });

  it.runIf(areOwnServicesPossible)('is replaced when its node of a cluster is silent', async () => {
    const cluster = await RedisCluster.start();
    try {
      const listener = new Listener(cluster.url, cluster.url);
      await listener.during(async () => {
        const at = await cluster.findListener(listener.channel);
        expect(at).toBeGreaterThanOrEqual(0);
        await cluster.nodes[at]?.kill('SIGSTOP');
      });
    } finally {
      await Promise.all(cluster.nodes.map((node) => node.kill('SIGCONT')));
      await cluster.stop();
    }
  });
});
