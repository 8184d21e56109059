import { setImmediate } from 'node:timers/promises';
import { Redis } from 'ioredis';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startRedis } from '../../dev/services/services.ts';
import type { Producer } from '../../src/producer/producer-port.ts';
import { createProducer } from '../../src/producer/producer.ts';
import { areOwnServicesPossible } from '../support/own-services.ts';
import { until } from '../support/until.ts';

/** How often a connection is cut just before a call, so that some calls meet it before the client has noticed. */
const CUTS = 40;
const CALLS_AT_ONCE = 20;

/** A Redis with the setting `timeout`, or a load balancer, closes connections that are idle. No worker runs. */
describe.runIf(areOwnServicesPossible)('a producer whose connection the server closes', () => {
  let server: Awaited<ReturnType<typeof startRedis>>;
  let admin: Redis;
  let producer: Producer;
  let sent = 0;

  beforeAll(async () => {
    server = await startRedis();
    admin = new Redis(server.url);
    producer = createProducer({ redisUrl: server.url });
  });
  afterAll(async () => {
    await producer.close();
    admin.disconnect();
    await server.stop();
  });

  const send = async (): Promise<string> => {
    const operationId = `op_idle_${(sent += 1)}`;
    await producer.reassign({ operationId, campaignId: 'c1', from: 'pool', to: 'everyone', status: 'any' });
    return operationId;
  };

  it('sends many operations at once without a warning of Node', async () => {
    const warnings: string[] = [];
    const note = ({ name }: Error): void => void warnings.push(name);
    process.on('warning', note);
    await Promise.all(Array.from({ length: CALLS_AT_ONCE }, send));
    // Node reports a warning in the next turn of the event loop.
    await setImmediate();
    process.off('warning', note);
    expect(warnings).toEqual([]);
  });

  it('sends over a new connection within the same call', async () => {
    await send();
    for (let cut = 0; cut < CUTS; cut += 1) {
      const killed = admin.call('CLIENT', 'KILL', 'TYPE', 'normal', 'SKIPME', 'yes');
      if (cut % 2 === 0) await killed;
      await Promise.all([killed, send()]);
    }
    expect(await admin.llen('{baton}:operations:wait')).toBe(sent);
  });

  it('lets many calls wait for one new connection', async () => {
    await admin.call('CLIENT', 'KILL', 'TYPE', 'normal', 'SKIPME', 'yes');
    const before = sent;
    await Promise.all(Array.from({ length: CALLS_AT_ONCE }, send));
    expect(sent - before).toBe(CALLS_AT_ONCE);
    expect(await admin.llen('{baton}:operations:wait')).toBe(sent);
  });

  it('sends after the server has closed it because it was idle', async () => {
    await send();
    await admin.config('SET', 'timeout', '1');
    const others = async (): Promise<number> =>
      String(await admin.client('LIST'))
        .trim()
        .split('\n').length - 1;
    const seen = await until('the server to close the idle connection', async () => (await others()) === 0);
    expect(seen).toBe(true);
    await send();
    await admin.config('SET', 'timeout', '0');
    expect(await admin.llen('{baton}:operations:wait')).toBe(sent);
  });
});
