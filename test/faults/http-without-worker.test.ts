import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Harness, many } from '../support/harness.ts';
import { HttpHarness, type Client } from '../http/support.ts';

let harness: Harness;
let http: HttpHarness;
let client: Client;
let campaignId: string;
beforeAll(async () => {
  harness = await Harness.open();
  http = await HttpHarness.start(harness);
  client = await http.client();
  campaignId = await harness.seedCampaign(2, { selfAssign: { enabled: true } });
  await harness.seedConversations(campaignId, many(2));
});
afterAll(async () => {
  await http.close();
  await harness.close();
});

const path = (rest: string) => `/v1/campaigns/${campaignId}/${rest}`;
const DEAL = { kind: 'reassign', from: 'pool', to: 'everyone', status: 'any' };

describe('an HTTP server while no worker runs', () => {
  it('takes and shows operations and claims, which run later, and says of a preview that no worker has answered', async () => {
    const preview = client.post(path('operations/preview'), DEAL);
    const [deal, claim] = ['deal', 'claim'].map((name) => harness.newId(name));
    const send = (rest: string, body: object, key = '') =>
      client.post(path(rest), body, { 'idempotency-key': key, prefer: 'wait=1' });
    for (const sent of [await send('operations', DEAL, deal), await send('claims', { texterId: 't1' }, claim)]) {
      expect(sent).toMatchObject({ status: 202, body: { state: 'sent', receipt: null } });
      expect(sent.headers.get('retry-after')).toBe('1');
      expect(await client.get(sent.headers.get('location') ?? '')).toMatchObject({
        status: 200,
        body: { state: 'sent' },
      });
    }
    const unanswered = await preview;
    expect(unanswered).toMatchObject({ status: 503, body: { code: 'worker-timeout' } });
    expect(Number(unanswered.headers.get('retry-after'))).toBeGreaterThan(0);
    await harness.startWorker();
    const state = async (id = '') => (await client.get(path(`operations/${id}`))).body['state'];
    await expect.poll(() => state(deal), { timeout: 20_000 }).toBe('done');
    await expect.poll(() => state(claim), { timeout: 20_000 }).toBe('done');
  }, 90_000);
});
