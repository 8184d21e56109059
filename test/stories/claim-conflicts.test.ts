import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { ClaimInput } from '../../src/claims/contract.ts';
import { Harness, many } from '../support/harness.ts';
import { removeJob } from '../support/raw-queue.ts';
import { resultOrCode } from '../support/any-request.ts';
import { bytesOf, rawOperation } from '../support/raw.ts';
import { until } from '../support/until.ts';

const LONG_MS = 3_600_000;
const RULES = { enabled: true, batchMax: 50, openMax: 500 };

describe('a claim', () => {
  let harness: Harness;
  beforeAll(async () => {
    harness = await Harness.open();
    await Promise.all([harness.startWorker(), harness.startWorker()]);
  });
  afterAll(() => harness.close());

  async function campaign(conversations: number): Promise<string> {
    const campaignId = await harness.seedCampaign(4, { selfAssign: RULES });
    await harness.seedConversations(campaignId, many(conversations));
    return campaignId;
  }

  const claim = async (input: ClaimInput): Promise<unknown> =>
    resultOrCode(harness.producer.selfAssign(input).then((sent) => sent.result()));

  describe('with the operation id of another request', () => {
    it('is refused and changes nothing, whether the queue or only the database has the other claim', async () => {
      const campaignId = await campaign(10);
      const first = { operationId: harness.newId('cl'), campaignId, texterId: 't1', count: 3 };
      expect(await claim(first)).toMatchObject({ outcome: 'created' });
      const kept = bytesOf(await rawOperation(harness, first.operationId));
      const others = [
        { ...first, count: 4 },
        { ...first, texterId: 't2' },
        { ...first, waitMs: LONG_MS },
        { ...first, campaignId: await campaign(10) },
      ];
      for (const other of others) expect(await claim(other)).toBe('operation-conflict');
      for (const other of others) {
        await removeJob(harness, 'claims', first.operationId);
        expect(await claim(other)).toBe('operation-conflict');
      }
      await removeJob(harness, 'claims', first.operationId);
      expect(await claim(first)).toMatchObject({ outcome: 'exists', receipt: { moved: 3 } });
      expect(bytesOf(await rawOperation(harness, first.operationId))).toBe(kept);
      expect(await harness.loads(campaignId)).toEqual({ t1: 3, pool: 7 });
    });

    it('is refused when the id belongs to a bulk operation, as is an operation with the id of a claim', async () => {
      const campaignId = await campaign(10);
      const [claimedId, operationId] = [harness.newId('cl'), harness.newId('op')];
      const deal = { campaignId, from: 'pool', to: 'everyone', status: 'any', count: 2 } as const;
      await (await harness.producer.reassign({ operationId, ...deal })).result();
      expect(await claim({ operationId: claimedId, campaignId, texterId: 't1', count: 3 })).toMatchObject({
        outcome: 'created',
      });
      expect(await claim({ operationId, campaignId, texterId: 't1', count: 3 })).toBe('operation-conflict');
      const asOperation = await harness.producer.reassign({ operationId: claimedId, ...deal });
      expect(await resultOrCode(asOperation.result())).toBe('operation-conflict');
      const [conversation] = await harness.context.database.conversations.find({ campaignId }).toArray();
      const one = { operationId: claimedId, campaignId, conversationId: conversation?._id.toHexString() ?? '' };
      expect(await resultOrCode((await harness.producer.unassignOne(one)).result())).toBe('operation-conflict');
      expect(await harness.loads(campaignId)).toMatchObject({ pool: 5 });
    });

    it('is refused when both requests are sent at once', async () => {
      for (let round = 0; round < 5; round += 1) {
        const campaignId = await campaign(10);
        const first = { operationId: harness.newId('cl'), campaignId, texterId: 't1', count: 3 };
        const answers = await Promise.all([claim(first), claim({ ...first, texterId: 't2' })]);
        expect(answers).toContain('operation-conflict');
        expect(answers).toContainEqual(expect.objectContaining({ outcome: 'created' }));
        expect(await harness.loads(campaignId)).toMatchObject({ pool: 7 });
      }
    });
  });

  describe('on a campaign that closes', () => {
    const close = (campaignId: string, closed = true): Promise<unknown> =>
      harness.context.database.campaigns.updateOne({ _id: campaignId }, { $set: { closed } });

    it('is served whole or refused whole while the campaign closes, and refused afterwards', async () => {
      const campaignId = await campaign(200);
      const claimThree = (): Promise<unknown> =>
        claim({ operationId: harness.newId('cl'), campaignId, texterId: 't1', count: 3 });
      const claiming = Array.from({ length: 20 }, claimThree);
      const closing = close(campaignId);
      claiming.push(...Array.from({ length: 20 }, claimThree));
      await closing;
      const late = await Promise.all(Array.from({ length: 5 }, claimThree));
      expect(new Set(late)).toEqual(new Set(['campaign-closed']));
      const answers = await Promise.all(claiming);
      const served = answers.filter((answer) => answer !== 'campaign-closed');
      for (const answer of served) expect(answer).toMatchObject({ outcome: 'created', receipt: { moved: 3 } });
      expect((await harness.loads(campaignId))['t1'] ?? 0).toBe(3 * served.length);
    });

    it('ends with the reason when it waits, and keeps what it has', async () => {
      const campaignId = await campaign(2);
      const input = { operationId: harness.newId('cl'), campaignId, texterId: 't1', count: 5, waitMs: LONG_MS };
      const sent = await harness.producer.selfAssign(input);
      await until('the claim to wait', () => harness.isWaiting(input.operationId));
      await close(campaignId);
      // As a program must that changes the rules of claims itself.
      await harness.producer.poolRefilled(campaignId);
      expect((await sent.result()).receipt).toMatchObject({ moved: 2, shortBecause: 'campaign-closed' });
      await harness.seedConversations(campaignId, [{}, {}, {}]);
      expect(await claim({ ...input, operationId: harness.newId('cl'), texterId: 't2' })).toBe('campaign-closed');
      expect(await harness.loads(campaignId)).toEqual({ t1: 2, pool: 3 });
    });
  });
});
