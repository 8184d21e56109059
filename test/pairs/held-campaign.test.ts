import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { conflictCounts } from '../../src/mongo/transaction.ts';
import { Harness } from '../support/harness.ts';
import { until } from '../support/until.ts';

const CONVERSATIONS = 100;
/** How many jobs of a queue the worker runs at the same time. */
const CONCURRENCY = 4;
/** More than the worker runs at the same time. */
const HELD_JOBS = CONCURRENCY + 2;
/** An answer may take this long on a machine that does much else. Before, they waited 30 s and longer. */
const QUICK_MS = 8_000;

interface Campaign {
  readonly campaignId: string;
  readonly ids: readonly string[];
}
type Answer = Promise<{ readonly receipt: { readonly moved: number } }>;

/** Another program has written every conversation of some campaigns, and its transaction is still open. */
describe('a worker whose jobs meet a long write of another program', () => {
  let harness: Harness;
  beforeAll(async () => {
    harness = await Harness.open();
    await harness.startWorker({ operationConcurrency: CONCURRENCY, claimConcurrency: CONCURRENCY });
  });
  afterAll(() => harness.close());

  async function seed(): Promise<Campaign> {
    const campaignId = await harness.seedCampaign(HELD_JOBS, { selfAssign: { enabled: true } });
    const pool = Array.from({ length: CONVERSATIONS }, () => ({}));
    return { campaignId, ids: await harness.seedConversations(campaignId, pool) };
  }

  async function move({ campaignId, ids }: Campaign, index = 0): Answer {
    const to = { texterIds: ['t1'] as [string] };
    const conversationId = ids[index] ?? '';
    const request = { operationId: harness.newId('op'), campaignId, conversationId, to };
    return (await harness.producer.reassignOne(request)).result();
  }

  async function claim({ campaignId }: Campaign, index = 0): Answer {
    const request = { operationId: harness.newId('cl'), campaignId, texterId: `t${index + 1}`, count: 1 };
    return (await harness.producer.selfAssign(request)).result();
  }

  async function dealPool({ campaignId }: Campaign): Answer {
    const all = { from: 'pool', to: 'everyone', status: 'any' } as const;
    return (await harness.producer.reassign({ operationId: harness.newId('op'), campaignId, ...all })).result();
  }

  async function whileHeld(campaigns: readonly Campaign[], work: () => Promise<void>): Promise<void> {
    const { client, conversations } = harness.context.database;
    const campaignId = { $in: campaigns.map((campaign) => campaign.campaignId) };
    await client.withSession(async (session) => {
      session.startTransaction();
      await conversations.updateMany({ campaignId }, { $set: { lastInboundAt: new Date() } }, { session });
      await work().finally(() => session.commitTransaction());
    });
  }

  /** Sends requests to held campaigns. Measures an answer of another campaign, and their answers after the write. */
  async function expectQuickAnswers(
    held: readonly Campaign[],
    sendToHeld: () => readonly Answer[],
    sendToOther: (other: Campaign) => Answer,
  ): Promise<number[]> {
    const other = await seed();
    const conflictsBefore = totalConflicts();
    let answers: Promise<Awaited<Answer>[]> = Promise.resolve([]);
    await whileHeld(held, async () => {
      answers = Promise.all(sendToHeld());
      answers.catch(() => undefined);
      await until('the jobs to meet the other program', () => totalConflicts() >= conflictsBefore + CONCURRENCY);
      const startedAt = performance.now();
      await sendToOther(other);
      expect(performance.now() - startedAt).toBeLessThan(QUICK_MS);
    });
    const freeAt = performance.now();
    const moved = (await answers).map(({ receipt }) => receipt.moved);
    expect(performance.now() - freeAt).toBeLessThan(QUICK_MS);
    const failedAttempt = { 'failures.0': { $exists: true } };
    expect(await harness.context.database.operations.countDocuments(failedAttempt)).toBe(0);
    return moved;
  }

  const indexes = Array.from({ length: HELD_JOBS }, (_, index) => index);

  it('answers the single moves of other campaigns, and these soon after the write', async () => {
    const held = await seed();
    const sendToHeld = () => indexes.map((index) => move(held, index));
    expect(await expectQuickAnswers([held], sendToHeld, move)).toEqual(Array(HELD_JOBS).fill(1));
  });

  it('runs the operations of other campaigns, and these soon after the write', async () => {
    const held = await Promise.all(indexes.map(() => seed()));
    const sendToHeld = () => held.map((campaign) => dealPool(campaign));
    expect(await expectQuickAnswers(held, sendToHeld, dealPool)).toEqual(Array(HELD_JOBS).fill(CONVERSATIONS));
  });

  it('answers the claims of other campaigns, and these soon after the write', async () => {
    const held = await seed();
    const sendToHeld = () => indexes.map((index) => claim(held, index));
    expect(await expectQuickAnswers([held], sendToHeld, claim)).toEqual(Array(HELD_JOBS).fill(1));
  });
});

function totalConflicts(): number {
  return Object.values(conflictCounts()).reduce((sum, count) => sum + count, 0);
}
