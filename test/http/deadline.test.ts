import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { Availability } from '../../src/http/availability.ts';
import { MongoViewStore } from '../../src/conversations/view-store.ts';
import { Harness, many } from '../support/harness.ts';
import { HttpHarness, type Client } from './support.ts';

const ANSWER_MS_MAX = 700;

let harness: Harness;
let http: HttpHarness;
let client: Client;
beforeAll(async () => {
  harness = await Harness.open();
  http = await HttpHarness.start(harness, { answerMsMax: ANSWER_MS_MAX });
  client = await http.client();
});
afterAll(async () => {
  await http.close();
  await harness.close();
});

/** Holds a campaign in a transaction, so that a change of it waits until `release` is called. */
async function hold(campaignId: string) {
  const { database } = harness.context;
  let release = (): void => undefined;
  const released = new Promise<void>((resolve) => (release = resolve));
  let begin = (): void => undefined;
  const hasBegun = new Promise<void>((resolve) => (begin = resolve));
  const holding = database.transaction(async (session) => {
    await database.campaigns.updateOne({ _id: campaignId }, { $set: { name: 'held' } }, { session });
    begin();
    await released;
  });
  await hasBegun;
  return async (): Promise<void> => {
    release();
    await holding;
  };
}

describe('a request that does not end', () => {
  it('is answered with 504 while the databases answer others, and the server works on', async () => {
    const campaignId = await harness.seedCampaign(1);
    const path = `/v1/campaigns/${campaignId}`;
    const release = await hold(campaignId);
    const changes = { selfAssign: { batchMax: 7 } };
    const answer = await client.send('PATCH', path, { body: changes });
    expect(answer).toMatchObject({ status: 504, body: { code: 'answer-timeout' } });
    expect(answer.headers.get('content-type')).toContain('application/problem+json');
    expect(answer.headers.get('retry-after')).toBe('2');
    expect((await client.get(path)).status).toBe(200);
    await release();
    const changed = async () => (await client.send('PATCH', path, { body: changes })).status;
    await expect.poll(changed).toBe(200);
    expect((await client.get(path)).body).toMatchObject({ selfAssign: { batchMax: 7 } });
  });

  it('is answered in time, but an export may send rows for longer', async () => {
    const campaignId = await harness.seedCampaign(1);
    await harness.seedConversations(campaignId, many(3));
    const everyConversation = Object.getOwnPropertyDescriptor(MongoViewStore.prototype, 'everyConversation')
      ?.value as MongoViewStore['everyConversation'];
    let goOn = (): void => undefined;
    const mayGoOn = new Promise<void>((resolve) => (goOn = resolve));
    vi.spyOn(MongoViewStore.prototype, 'everyConversation').mockImplementation(async function* (
      this: MongoViewStore,
      id: string,
    ) {
      for await (const row of everyConversation.call(this, id)) {
        yield row;
        await mayGoOn;
      }
    });
    const headers = { authorization: `Bearer ${client.key}` };
    const response = await fetch(`${client.address}/v1/campaigns/${campaignId}/conversations.csv`, { headers });
    expect(response.status).toBe(200);
    // The export has begun before this change. When the change reaches its time limit, the export has passed it.
    const release = await hold(campaignId);
    const late = await client.send('PATCH', `/v1/campaigns/${campaignId}`, { body: { selfAssign: { batchMax: 8 } } });
    expect(late.status).toBe(504);
    await release();
    goOn();
    expect((await response.text()).trim().split('\n')).toHaveLength(1 + 3);
  });

  it('may take longer by the time that it prefers to wait', async () => {
    const campaignId = await harness.seedCampaign(1);
    const body = { kind: 'reassign', from: 'pool', to: 'everyone', status: 'any' };
    // No worker runs, so the request waits for as long as it may.
    const headers = { 'idempotency-key': harness.newId('op'), prefer: 'wait=1' };
    const { status } = await client.post(`/v1/campaigns/${campaignId}/operations`, body, headers);
    expect(status).toBe(202);
  });

  it('is answered when a service answers its probes, and a command to it never ends', async () => {
    const availability = new Availability([{ name: 'Redis', ask: () => Promise.resolve('PONG') }]);
    const hanging = availability.during(20, () => new Promise(() => undefined));
    await expect(hanging).rejects.toMatchObject({ code: 'answer-timeout', status: 504 });
    expect(await availability.during(10_000, () => Promise.resolve('works'))).toBe('works');
    availability.close();
  });
});
