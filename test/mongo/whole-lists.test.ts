import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { STATUSES } from '../../src/domain/conversation.ts';
import { Harness, many } from '../support/harness.ts';

const TEXTERS = 250;
const READS = 60;

/** The texters are more than a cursor's first batch, and their documents are written all the time, as claims do. */
describe('a list of texters that are written while it is read', () => {
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
    for (let round = 0; !isOver; round += 1) {
      const some = texterIds.filter((_, at) => (at + round) % 4 === 0);
      await texters.updateMany({ campaignId, texterId: { $in: some } }, { $inc: { fence: 1 } });
    }
  }

  it('contains every texter once', async () => {
    for (let read = 0; read < READS; read += 1) {
      const listed = await harness.context.stores.texters.list(campaignId);
      expect(listed.map(({ texterId }) => texterId).sort()).toEqual(texterIds);
    }
  });

  it('contains every texter once when a batch reads which targets are active', async () => {
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
    const guard = { statuses: STATUSES, lastMovedBy: null, dealsAgain: false };
    for (let read = 0; read < READS; read += 1) {
      const outcome = await harness.context.stores.batches.evaluate(batch, request, guard);
      expect(outcome).toEqual({ moves, skips: [] });
    }
  });
});

/** The conversations are more than one batch of the export's cursor, and all of them move while it reads. */
describe('an export of conversations that move while it reads', () => {
  let harness: Harness;
  beforeAll(async () => {
    harness = await Harness.open();
  });
  afterAll(() => harness.close());

  it('contains each conversation exactly once', async () => {
    const campaignId = await harness.seedCampaign(3);
    const ids = await harness.seedConversations(campaignId, many(9_000));
    const { conversations } = harness.context.database;
    let isOver = false;
    const move = async (): Promise<void> => {
      for (let round = 0; !isOver; round += 1) {
        await conversations.updateMany({ campaignId }, { $set: { assigneeId: `t${(round % 3) + 1}` } });
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
