import { afterEach, beforeEach, expect, it } from 'vitest';
import { Harness, many } from '../support/harness.ts';

/** The claims of the campaign that sends first. Each asks for one conversation. */
const CLAIMS = 400;
const TEXTERS = 20;
/** How many claims the worker serves at the same time. */
const AT_ONCE = 10;
const RULES = { enabled: true, batchMax: 5, openMax: CLAIMS, repliesMax: null };

let harness: Harness;
beforeEach(async () => {
  harness = await Harness.open();
});
afterEach(() => harness.close());

it('a claim does not wait for hundreds of claims that another campaign sent before it', async () => {
  const [large, small] = [
    await harness.seedCampaign(TEXTERS, { selfAssign: RULES }),
    await harness.seedCampaign(1, { selfAssign: RULES }),
  ];
  for (const campaignId of [large, small]) await harness.seedConversations(campaignId, many(CLAIMS));
  const claim = (campaignId: string, texterId: string) =>
    harness.producer.selfAssign({ operationId: harness.newId('cl'), campaignId, texterId, count: 1 });
  const before = await Promise.all(Array.from({ length: CLAIMS }, (_, at) => claim(large, `t${(at % TEXTERS) + 1}`)));
  const last = await claim(small, 't1');
  await harness.startWorker({ claimConcurrency: AT_ONCE });
  await Promise.all([...before, last].map((sent) => sent.result()));
  const { claims } = harness.context.database;
  const own = await claims.findOne({ campaignId: small });
  const earlier = await claims.countDocuments({ campaignId: large, endedAt: { $lt: own?.endedAt ?? new Date(0) } });
  expect(own?.granted).toHaveLength(1);
  expect(earlier).toBeLessThan(CLAIMS / 4);
});
