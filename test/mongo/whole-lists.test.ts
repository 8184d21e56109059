import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { STATUSES } from '../../src/domain/conversation.ts';
import { Harness } from '../support/harness.ts';

const TEXTERS = 250;
const READS = 60;

/** More than a cursor's first batch holds, while rows of theirs are written all the time, as claims do. */
describe('a list of texters that are written meanwhile', () => {
  let harness: Harness;
  let campaignId: string;
  let isOver = false;
  let writing: Promise<unknown>;
  const texterIds = Array.from({ length: TEXTERS }, (_, index) => `t${index + 1}`).sort();

  beforeAll(async () => {
    harness = await Harness.open();
    campaignId = await harness.seedCampaign(TEXTERS);
    writing = Promise.all([0, 1].map(write));
  });
  afterAll(async () => {
    isOver = true;
    await writing;
    await harness.close();
  });

  async function write(): Promise<void> {
    const { texters } = harness.context.database;
    for (let turn = 0; !isOver; turn += 1) {
      const some = texterIds.filter((_, at) => (at + turn) % 4 === 0);
      await texters.updateMany({ campaignId, texterId: { $in: some } }, { $inc: { claimRounds: 1 } });
    }
  }

  const lists: Record<string, () => Promise<readonly string[]>> = {
    'as operations read it': async () =>
      (await harness.context.stores.texters.list(campaignId)).map(({ texterId }) => texterId),
    'as it is shown': async () =>
      (await harness.context.campaigns.listTexters(campaignId)).map(({ texterId }) => texterId),
  };

  it.each(Object.keys(lists))('is whole, %s', async (which) => {
    for (let read = 0; read < READS; read += 1) expect([...((await lists[which]?.()) ?? [])].sort()).toEqual(texterIds);
  });

  it('is whole, as a batch asks which targets are active', async () => {
    const conversationIds = await harness.seedConversations(
      campaignId,
      texterIds.map(() => ({})),
    );
    const operationId = harness.newId('op');
    const request = {
      kind: 'reassign',
      operationId,
      campaignId,
      from: 'pool',
      to: 'everyone',
      status: 'any',
      spread: 'even',
    } as const;
    const moves = texterIds.map((to, at) => ({
      from: null,
      to,
      status: 'not-started' as const,
      conversationIds: conversationIds.slice(at, at + 1),
    }));
    const after = { position: null, loads: [], planned: TEXTERS };
    const batch = { operationId, campaignId, number: 1, moves, skips: [], after };
    const guard = { statuses: STATUSES, lastMovedBy: null };
    for (let read = 0; read < READS; read += 1) {
      const outcome = await harness.context.stores.batches.evaluate(batch, request, guard);
      expect(outcome).toEqual({ moves, skips: [] });
    }
  });
});

/** More than one of its batches holds, and all of them moved while it reads. */
describe('an export of conversations that move meanwhile', () => {
  let harness: Harness;
  beforeAll(async () => {
    harness = await Harness.open();
  });
  afterAll(() => harness.close());

  it('has each of them, once', async () => {
    const campaignId = await harness.seedCampaign(3);
    const ids = await harness.seedConversations(
      campaignId,
      Array.from({ length: 9_000 }, () => ({})),
    );
    const { conversations } = harness.context.database;
    let isOver = false;
    const move = async (): Promise<void> => {
      for (let turn = 0; !isOver; turn += 1) {
        await conversations.updateMany({ campaignId }, { $set: { assigneeId: `t${(turn % 3) + 1}` } });
      }
    };
    const moving = move();
    try {
      for (let read = 0; read < 4; read += 1) {
        const seen: string[] = [];
        for await (const { conversationId } of harness.context.views.everyConversation(campaignId))
          seen.push(conversationId);
        expect(seen).toHaveLength(ids.length);
        expect(new Set(seen).size).toBe(ids.length);
      }
    } finally {
      isOver = true;
      await moving;
    }
  });
});
