import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import {
  findOperation,
  loadChain,
  resourceReads,
  type ResourceDeps,
  type ResourceReads,
} from '../../src/http/access.ts';
import { GroupedReads } from '../../src/http/grouped-reads.ts';
import { connectProducer, type RedisConnection } from '../../src/queue/connection.ts';
import { findSentIn, openSentQueues } from '../../src/reconcile/index.ts';
import { Harness } from '../support/harness.ts';
import { Client, HttpHarness } from './support.ts';

let harness: Harness;
let http: HttpHarness;
let client: Client;
let redis: RedisConnection;
let deps: ResourceDeps;
let campaignId: string;
let other: string;
let operationId: string;
let conversationId: string;
const deal = () =>
  ({ operationId: harness.newId('op'), campaignId, from: 'pool', to: 'everyone', status: 'any' }) as const;
beforeAll(async () => {
  harness = await Harness.open();
  await harness.startWorker();
  http = await HttpHarness.start(harness);
  client = await http.client();
  redis = connectProducer(harness.config.queue.redisUrl, () => undefined);
  deps = {
    context: harness.context,
    reads: resourceReads(harness.context),
    sentQueues: openSentQueues(redis, harness.config.queue.prefix),
  };
  [campaignId, other] = [
    await harness.seedCampaign(1, { selfAssign: { enabled: true } }),
    await harness.seedCampaign(1),
  ];
  [conversationId = ''] = await harness.seedConversations(campaignId, [{}]);
  const claim = { operationId: harness.newId('cl'), campaignId, texterId: 't1', count: 1 };
  ({ operationId } = await (await harness.producer.selfAssign(claim)).result());
});
afterAll(async () => {
  await Promise.all(deps.sentQueues.map((queue) => queue.close()));
  redis.disconnect();
  await http.close();
  await harness.close();
});

/** The same reads, but some of them changed. */
function withReads(changed: {
  readonly [Name in keyof ResourceReads]?: ResourceReads[Name]['find'];
}): ResourceDeps {
  const reads = Object.entries(changed).map(([name, find]) => [name, { find }]);
  return { ...deps, reads: { ...deps.reads, ...(Object.fromEntries(reads) as Partial<ResourceReads>) } };
}

describe('what the path of a request names', () => {
  it('is read at once, not one after the other', async () => {
    let begin = (): void => undefined;
    const isOperationRead = new Promise<void>((resolve) => (begin = resolve));
    const overlapping = withReads({
      campaigns: async (id) => {
        await isOperationRead;
        return deps.reads.campaigns.find(id);
      },
      operations: (id) => {
        begin();
        return deps.reads.operations.find(id);
      },
    });
    const chain = ['campaign', 'operation'] as const;
    const loaded = await loadChain(overlapping, 'default', chain, { campaignId, operationId });
    expect(loaded).toMatchObject({ campaign: { campaignId }, operation: { operationId } });
  });

  it('is 404 below another campaign of the same organisation, also for a texter who has the same id there', async () => {
    for (const path of [
      `operations/${operationId}`,
      `operations/${operationId}/moves`,
      `conversations/${conversationId}`,
    ]) {
      expect({ path, ...(await client.get(`/v1/campaigns/${campaignId}/${path}`)) }).toMatchObject({
        path,
        status: 200,
      });
      const problem = await client.problem('GET', `/v1/campaigns/${other}/${path}`);
      expect({ path, ...problem }).toMatchObject({ path, status: 404, code: 'not-found' });
    }
    for (const [of, status] of [
      [campaignId, 200],
      [other, 404],
    ] as const) {
      const { body } = await client.post<{ token: string }>(`/v1/campaigns/${of}/texters/t1/tokens`);
      const texter = new Client(http.server.address, body.token);
      expect((await texter.get(`/v1/me/operations/${operationId}`)).status).toBe(status);
    }
  });
});

describe('the Idempotency-Key of a request', () => {
  it('is looked up while the campaign is being read', async () => {
    const key = harness.newId('op');
    let begin = (): void => undefined;
    const isKeyRead = new Promise<void>((resolve) => (begin = resolve));
    const spy = vi.spyOn(GroupedReads.prototype, 'find').mockImplementation(async (id) => {
      if (id === key) begin();
      if (id !== campaignId) return harness.context.operationViews.findOperation(id);
      await isKeyRead;
      return harness.context.stores.campaigns.find(id);
    });
    const body = { kind: 'reassign-one', conversationId, to: { texterIds: ['t1'] } };
    const { status } = await client.post(`/v1/campaigns/${campaignId}/operations`, body, { 'idempotency-key': key });
    spy.mockRestore();
    expect(status).toBe(202);
  });

  it('costs Redis one command when it is new, however many jobs wait', async () => {
    const spy = vi.spyOn(redis, 'sendCommand');
    expect(await findSentIn(deps.sentQueues, harness.newId('op'))).toBeUndefined();
    const names = spy.mock.calls.map(([command]) => command.name);
    spy.mockRestore();
    expect(names).toEqual(['exists']);
  });
});

describe('an operation', () => {
  it('is found when a worker accepts and ends it between the looks into the database and the queue', async () => {
    const request = deal();
    let reads = 0;
    const overtaken = withReads({
      operations: async (id) => {
        const found = await deps.reads.operations.find(id);
        if ((reads += 1) === 1) await (await harness.producer.reassign(request)).result();
        return found;
      },
    });
    expect(await findOperation(overtaken, request.operationId)).toMatchObject({ state: 'done' });
    expect(reads).toBe(2);
  });
});
