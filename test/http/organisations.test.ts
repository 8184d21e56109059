import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createOrganisation } from '../../src/access/index.ts';
import { Harness } from '../support/harness.ts';
import { HttpHarness, type Client } from './support.ts';

interface CampaignsPage {
  readonly campaigns: readonly { readonly campaignId: string }[];
  readonly next: string | null;
}

let harness: Harness;
let http: HttpHarness;
let acme: Client;
let other: Client;
let operationId: string;
beforeAll(async () => {
  harness = await Harness.open();
  await harness.startWorker();
  http = await HttpHarness.start(harness);
  for (const id of ['acme', 'other', 'third']) await createOrganisation(harness.context, id, id);
  acme = await http.client(undefined, 'acme');
  other = await http.client(undefined, 'other');
  await harness.seedCampaign(1, { campaignId: 'acme~c1' });
  await harness.seedConversations('acme~c1', [{}]);
  operationId = harness.newId('op');
  const body = { kind: 'reassign', from: 'pool', to: 'everyone', status: 'any' };
  const headers = { 'idempotency-key': operationId, prefer: 'wait=20' };
  await acme.post('/v1/campaigns/c1/operations', body, headers);
});
afterAll(async () => {
  await http.close();
  await harness.close();
});

describe('two organisations', () => {
  it('are not shown to the default organisation when a campaign of theirs does not name them', async () => {
    const plain = await harness.seedCampaign(0);
    const nameless = await harness.seedCampaign(0, { campaignId: 'acme~nameless' });
    const ids = { _id: { $in: [plain, nameless] } };
    await harness.context.database.campaigns.updateMany(ids, { $unset: { organisationId: '' } });
    const listed = await (await http.client()).get('/v1/campaigns');
    expect(listed.body).toMatchObject({ campaigns: [{ campaignId: plain }], next: null });
  });

  it('use the same ids without a collision, and never see the organisation in an id', async () => {
    const created = await other.post('/v1/campaigns', { campaignId: 'c1', name: 'Other' });
    expect(created).toMatchObject({ status: 201, body: { campaignId: 'c1' } });
    expect(await acme.get('/v1/campaigns')).toMatchObject({ body: { campaigns: [{ campaignId: 'c1' }] } });
    expect(await other.get('/v1/campaigns')).toMatchObject({ body: { campaigns: [{ name: 'Other' }] } });
    const shown = await acme.get(`/v1/campaigns/c1/operations/${operationId}`);
    expect(shown).toMatchObject({ body: { operationId, campaignId: 'c1', state: 'done', receipt: { moved: 1 } } });
    const taken = await acme.problem('POST', '/v1/campaigns', { body: { campaignId: 'c1', name: 'Again' } });
    expect(JSON.stringify([shown.body, taken])).not.toContain('acme~');
    expect((await other.get('/v1/campaigns/acme~c1')).status).toBe(404);
  });

  it('read their lists page by page, with places that do not name the organisation', async () => {
    const third = await http.client(undefined, 'third');
    for (const campaignId of ['c1', 'c2', 'c3']) await third.post('/v1/campaigns', { campaignId, name: campaignId });
    const listed: string[] = [];
    for (let after: string | null = ''; after !== null;) {
      const query = after === '' ? 'limit=1' : `limit=1&after=${encodeURIComponent(after)}`;
      const page: { body: CampaignsPage } = await third.get(`/v1/campaigns?${query}`);
      listed.push(...page.body.campaigns.map(({ campaignId }) => campaignId));
      after = page.body.next;
      expect(after ?? '').not.toContain('third');
    }
    expect(listed).toEqual(['c3', 'c2', 'c1']);
  });
});
