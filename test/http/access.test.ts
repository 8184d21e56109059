import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { findOperation, loadChain, type ResourceDeps } from '../../src/http/access.ts';
import { connectProducer, type RedisConnection } from '../../src/queue/connection.ts';
import { openSentQueues } from '../../src/reconcile/index.ts';
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
  deps = { context: harness.context, sentQueues: openSentQueues(redis, harness.config.queue.prefix) };
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

/** A context whose reads of campaigns or operations are changed. */
function withReads(changed: Partial<Record<'find' | 'findOperation', (id: string) => Promise<unknown>>>): ResourceDeps {
  const { stores, operationViews } = harness.context;
  const derived = <Store extends object>(store: Store): Store => Object.assign(Object.create(store) as Store, changed);
  const campaigns = derived(stores.campaigns);
  return {
    ...deps,
    context: { ...harness.context, stores: { ...stores, campaigns }, operationViews: derived(operationViews) },
  };
}

describe('what the path of a request names', () => {
  it('is read at once, not one after the other', async () => {
    const { stores } = harness.context;
    let begin = (): void => undefined;
    const isOperationRead = new Promise<void>((resolve) => (begin = resolve));
    const overlapping = withReads({
      find: async (id) => {
        await isOperationRead;
        return stores.campaigns.find(id);
      },
      findOperation: (id) => {
        begin();
        return harness.context.operationViews.findOperation(id);
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

describe('an operation', () => {
  it('is found when a worker accepts and ends it between the looks into the database and the queue', async () => {
    const request = deal();
    let reads = 0;
    const overtaken = withReads({
      findOperation: async (id) => {
        const found = await harness.context.operationViews.findOperation(id);
        if ((reads += 1) === 1) await (await harness.producer.reassign(request)).result();
        return found;
      },
    });
    expect(await findOperation(overtaken, request.operationId)).toMatchObject({ state: 'done' });
    expect(reads).toBe(2);
  });
});
