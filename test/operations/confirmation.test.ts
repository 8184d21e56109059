import { Types } from 'mongoose';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Harness } from '../support/harness.ts';
import { runToEnd } from '../support/run-operation.ts';

let harness: Harness;
let campaignId: string;
beforeAll(async () => {
  harness = await Harness.open();
  campaignId = await harness.seedCampaign(2);
  await harness.seedConversations(
    campaignId,
    Array.from({ length: 7 }, () => ({ assigneeId: 't1' })),
  );
});
afterAll(() => harness.close());

const unassign = (more: { count?: number; confirm?: number }, texterId = 't1') =>
  runToEnd(harness.context.stores, {
    ...{ kind: 'unassign', operationId: harness.newId('op'), campaignId, status: 'any' },
    from: { texterIds: [texterId] },
    ...more,
  });

describe('an unassign with a count above the number of conversations', () => {
  it('needs a confirmation of that number, because it takes all', async () => {
    expect(await unassign({ count: 8 })).toMatchObject({
      state: 'failed',
      error: {
        code: 'confirmation-needed',
        message: 'only 7 conversations match, not 8; unassigning all of them needs a confirmation of 7',
      },
    });
    expect(await harness.loads(campaignId)).toEqual({ t1: 7 });
  });

  it('is refused when more match than were confirmed', async () => {
    expect(await unassign({ count: 8, confirm: 6 })).toMatchObject({ error: { code: 'confirmation-drifted' } });
    expect(await unassign({ confirm: 1 })).toMatchObject({
      error: { message: '1 conversation was confirmed, but 7 would be unassigned now' },
    });
  });

  it('needs none for a texter who has no conversation', async () => {
    expect(await unassign({ count: 8 }, 't2')).toMatchObject({ state: 'done', receipt: { moved: 0 } });
  });

  it('needs it too when incomplete conversations make up the difference', async () => {
    const some = await harness.seedCampaign(1);
    const ids = await harness.seedConversations(
      some,
      Array.from({ length: 5 }, () => ({ assigneeId: 't1' })),
    );
    const _id = new Types.ObjectId(ids[0]);
    await harness.context.database.conversations.updateOne({ _id }, { $unset: { optedOut: '' } });
    const request = { kind: 'unassign', operationId: harness.newId('op'), campaignId: some, status: 'any' } as const;
    const ended = await runToEnd(harness.context.stores, { ...request, from: { texterIds: ['t1'] }, count: 5 });
    expect(ended).toMatchObject({ error: { code: 'confirmation-needed' } });
  });

  it('moves at most the confirmed number', async () => {
    expect(await unassign({ count: 1 })).toMatchObject({ state: 'done', receipt: { moved: 1 } });
    expect(await unassign({ count: 9, confirm: 6 })).toMatchObject({
      state: 'done',
      receipt: { moved: 6, asked: 9, shortBecause: 'none-left' },
    });
    expect(await harness.loads(campaignId)).toEqual({ pool: 7 });
  });
});
