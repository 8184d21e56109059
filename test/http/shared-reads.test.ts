import type { mongo } from 'mongoose';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { MongoOperationViewStore } from '../../src/operations/index.ts';
import { SharedAnswers } from '../../src/http/shared-answers.ts';
import { Harness, many } from '../support/harness.ts';
import { SentCommands } from '../support/sent-commands.ts';
import { HttpHarness, type Answered, type Client } from './support.ts';

const SHARED_FOR_MS = 1_000;

interface Senders {
  readonly countedAt: string;
  readonly senders: readonly { readonly total: number }[];
  readonly pool: { readonly total: number };
}

let harness: Harness;
let servers: readonly HttpHarness[];
let clients: readonly Client[];
beforeAll(async () => {
  harness = await Harness.open({ countsSharedForMs: SHARED_FOR_MS });
  await harness.startWorker();
  servers = [await HttpHarness.start(harness), await HttpHarness.start(harness)];
  clients = await Promise.all(servers.map((server) => server.client()));
});
afterAll(async () => {
  await Promise.all(servers.map((server) => server.close()));
  await harness.close();
});

describe('counts and pages that many callers ask for', () => {
  it('never are older than an operation that the caller has seen, on any server', async () => {
    const campaignId = await harness.seedCampaign(1);
    await harness.seedConversations(campaignId, many(8));
    const path = `/v1/campaigns/${campaignId}`;
    const read = (client: Client, query = ''): Promise<Answered<Senders>> =>
      client.get<Senders>(`${path}/senders${query}`);
    for (let moved = 1; moved <= 2; moved += 1) {
      await Promise.all(clients.map((client) => read(client)));
      const body = { kind: 'reassign', from: 'pool', to: 'everyone', status: 'any', count: 1 };
      const headers = { 'idempotency-key': harness.newId('op'), prefer: 'wait=20' };
      const { endedAt } = (await clients[0]?.post(`${path}/operations`, body, headers))?.body ?? {};
      const query = `?notBefore=${String(endedAt)}`;
      const answers = await Promise.all(clients.map((client) => read(client, query)));
      for (const { status, body: counts } of answers) {
        expect({ status, pool: counts.pool.total }).toEqual({ status: 200, pool: 8 - moved });
        expect(Date.parse(counts.countedAt)).not.toBeNaN();
      }
      const pages = clients.map((client) => client.get(`${path}/conversations${query}&assignee=t1`));
      for (const { body: page } of await Promise.all(pages)) expect(page['conversations']).toHaveLength(moved);
    }
  });

  it('include lists of operations: at most fifty reads a second, and none begins before its call', async () => {
    const campaignId = await harness.seedCampaign(1);
    await harness.seedConversations(campaignId, many(2));
    const path = `/v1/campaigns/${campaignId}/operations`;
    const client = clients[0] as Client;
    const spy = vi.spyOn(MongoOperationViewStore.prototype, 'listOperations');
    const begunAt = performance.now();
    const lists = await Promise.all(Array.from({ length: 200 }, () => client.get(path)));
    const readsMax = Math.ceil((performance.now() - begunAt) / 20) + 1;
    expect(lists.every((list) => list.status === 200)).toBe(true);
    expect(spy.mock.calls.length).toBeLessThanOrEqual(Math.min(readsMax, 100));
    spy.mockRestore();
    for (let sent = 1; sent <= 2; sent += 1) {
      const body = { kind: 'reassign', from: 'pool', to: 'everyone', status: 'any', count: 1 };
      await client.post(path, body, { 'idempotency-key': harness.newId('op'), prefer: 'wait=20' });
      expect((await client.get<{ operations: unknown[] }>(path)).body.operations).toHaveLength(sent);
    }
  });

  it('refuse a moment that cannot be read, and answer for one that lies ahead', async () => {
    const path = `/v1/campaigns/${await harness.seedCampaign(1)}/senders`;
    const wrong = await clients[0]?.problem('GET', `${path}?notBefore=yesterday`);
    expect(wrong).toMatchObject({ status: 400, errors: [{ pointer: '#/query/notBefore' }] });
    expect((await clients[0]?.get(`${path}?notBefore=2999-01-01T00:00:00.000Z`))?.status).toBe(200);
  });

  it('cost a server one read per second and campaign, also when each caller has seen another operation', async () => {
    const commands = await SentCommands.open(harness);
    const campaignId = await harness.seedCampaign(2);
    const shared = new SharedAnswers<string>(SHARED_FOR_MS);
    const begunAt = performance.now();
    const sent = await commands.during(async ({ stores, clock }) => {
      const ask = async (): Promise<string> => {
        await stores.conversations.countByAssignee(campaignId);
        return clock.now().toISOString();
      };
      const calls: Promise<string>[] = [];
      for (let call = 0; call < 1_000; call += 1) {
        calls.push(shared.read(campaignId, ask, call % 2 === 0 ? () => false : undefined));
        if (call % 100 === 0) await new Promise(setImmediate);
      }
      await Promise.all(calls);
    });
    const isCount = ({ aggregate }: mongo.Document): boolean => aggregate === 'conversations';
    const seconds = Math.ceil((performance.now() - begunAt) / SHARED_FOR_MS);
    expect(sent.filter(isCount).length).toBeLessThanOrEqual(seconds + 1);
    await commands.context.close();
  });

  it('are read again after an error, which only its callers receive', async () => {
    const shared = new SharedAnswers<number>(SHARED_FOR_MS);
    let reads = 0;
    const ask = (): Promise<number> => ((reads += 1) === 1 ? Promise.reject(new Error('no')) : Promise.resolve(reads));
    const both = [shared.read('c', ask), shared.read('c', ask)];
    for (const each of both) await expect(each).rejects.toThrow('no');
    expect(await shared.read('c', ask)).toBe(2);
  });

  it('are read anew for a caller who needs that, also when the read before fails', async () => {
    const shared = new SharedAnswers<number>(SHARED_FOR_MS / 100);
    let fail = (): void => undefined;
    const failing = shared.read('c', () => new Promise((_, reject) => (fail = () => reject(new Error('no')))));
    let reads = 1;
    const ask = (): Promise<number> => Promise.resolve((reads += 1));
    const both = [shared.readNew('c', ask), shared.readNew('c', ask)];
    fail();
    await expect(failing).rejects.toThrow('no');
    expect(await Promise.all(both)).toEqual([2, 2]);
    expect(await shared.readNew('c', ask)).toBe(3);
  });
});
