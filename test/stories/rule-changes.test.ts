import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { setActive, setClosed } from '../../src/campaigns/index.ts';
import { Refusal } from '../../src/domain/errors.ts';
import { findFailed, retry, withFailedJobs } from '../../src/reconcile/index.ts';
import { Harness } from '../support/harness.ts';
import { rawConversations } from '../support/raw.ts';
import { until } from '../support/until.ts';

const TEXTERS = 4;
const ROUNDS = 3;
/** Several batches are in flight when a rule changes. */
const SMALL_BATCHES = { batchConversationsMax: 25, batchesInFlightMax: 4 };
const RULES = { enabled: true, batchMax: 5, openMax: 10_000 };

/** Once the caller has been answered, a change of the rules holds for everything that is in progress. */
describe('a change of the rules, after it was acknowledged', () => {
  let harness: Harness;
  beforeAll(async () => {
    harness = await Harness.open(SMALL_BATCHES);
    await harness.startWorker(SMALL_BATCHES);
    await harness.startWorker(SMALL_BATCHES);
  });
  afterAll(() => harness.close());

  async function seed(count: number): Promise<{ campaignId: string; ids: string[] }> {
    const campaignId = await harness.seedCampaign(TEXTERS, { selfAssign: RULES });
    const pool = Array.from({ length: count }, (_, at) => ({ waitedMs: count - at }));
    return { campaignId, ids: await harness.seedConversations(campaignId, pool) };
  }

  async function assigned(campaignId: string, texterIds?: readonly string[]): Promise<ReadonlySet<string>> {
    const all = [...(await rawConversations(harness, campaignId)).entries()];
    const isMeant = (id: string | null): boolean => id !== null && (texterIds?.includes(id) ?? true);
    return new Set(all.filter(([, { assigneeId }]) => isMeant(assigneeId)).map(([id]) => id));
  }

  const dealAll = (campaignId: string) =>
    harness.producer.reassign({
      operationId: harness.newId('op'),
      campaignId,
      from: 'pool',
      to: 'everyone',
      status: 'any',
    });

  const hasMoved = (campaignId: string) => async (): Promise<boolean> => (await assigned(campaignId)).size > 0;

  it('lets no batch of a bulk operation give a paused texter anything', async () => {
    for (let round = 0; round < ROUNDS; round += 1) {
      const { campaignId } = await seed(600);
      const sent = await dealAll(campaignId);
      await until('the first batch', hasMoved(campaignId));
      await setActive(harness.context, campaignId, 't2', false);
      const before = await assigned(campaignId, ['t2']);
      expect((await sent.result()).state).toBe('done');
      expect(await assigned(campaignId, ['t2'])).toEqual(before);
    }
  });

  it('lets no claim and no single move give a paused texter anything', async () => {
    for (let round = 0; round < ROUNDS; round += 1) {
      const { campaignId, ids } = await seed(400);
      const claims = Array.from({ length: 20 }, () =>
        harness.producer.selfAssign({ operationId: harness.newId('cl'), campaignId, texterId: 't1', count: 5 }),
      );
      const moves = ids.slice(300, 340).map((conversationId) =>
        harness.producer.reassignOne({
          operationId: harness.newId('op'),
          campaignId,
          conversationId,
          to: { texterIds: ['t1'] },
        }),
      );
      const sent = await Promise.all([...claims, ...moves]);
      await until('the first conversation', hasMoved(campaignId));
      await setActive(harness.context, campaignId, 't1', false);
      const before = await assigned(campaignId);
      const answers = await Promise.allSettled(sent.map((each) => each.result()));
      for (const answer of answers) if (answer.status === 'rejected') expect(answer.reason).toBeInstanceOf(Refusal);
      expect(await assigned(campaignId)).toEqual(before);
    }
  });

  it('halts an operation that gives conversations to texters when the campaign is closed, and a retry goes on', async () => {
    const { campaignId, ids } = await seed(600);
    const sent = await dealAll(campaignId);
    await until('the first batch', hasMoved(campaignId));
    await setClosed(harness.context, campaignId, true);
    const before = await assigned(campaignId);
    expect(before.size).toBeLessThan(ids.length);
    await expect(sent.result()).rejects.toMatchObject({ name: 'Halted', code: 'closed-meanwhile' });
    expect(await assigned(campaignId)).toEqual(before);
    const stored = await harness.context.stores.operations.find(sent.operationId);
    expect(stored).toMatchObject({ state: 'failed', receipt: { moved: before.size } });
    await setClosed(harness.context, campaignId, false);
    await withFailedJobs(harness.config.queue, async (jobs) => {
      const deps = { ...harness.context, jobs };
      await retry(deps, await findFailed(deps, sent.operationId));
    });
    const done = async (): Promise<boolean> =>
      (await harness.context.stores.operations.find(sent.operationId))?.state === 'done';
    await until('the retried operation to end', done);
    expect((await assigned(campaignId)).size).toBe(ids.length);
  });

  it('lets no claim of a closed campaign be granted anything', async () => {
    const { campaignId } = await seed(400);
    const sent = await Promise.all(
      Array.from({ length: 40 }, (_, at) => {
        const texterId = `t${(at % TEXTERS) + 1}`;
        return harness.producer.selfAssign({ operationId: harness.newId('cl'), campaignId, texterId, count: 5 });
      }),
    );
    await until('the first conversation', hasMoved(campaignId));
    await setClosed(harness.context, campaignId, true);
    const before = await assigned(campaignId);
    await Promise.allSettled(sent.map((each) => each.result()));
    expect(await assigned(campaignId)).toEqual(before);
  });

  it('lets an operation that returns conversations to the pool go on when the campaign is closed', async () => {
    const { campaignId } = await seed(600);
    await (await dealAll(campaignId)).result();
    const request = { operationId: harness.newId('op'), campaignId, from: 'everyone', status: 'any' } as const;
    const sent = await harness.producer.unassign({ ...request, confirm: 600 });
    await until('the first batch', async () => (await assigned(campaignId)).size < 600);
    await setClosed(harness.context, campaignId, true);
    expect((await sent.result()).receipt.moved).toBe(600);
    expect((await assigned(campaignId)).size).toBe(0);
  });
});
