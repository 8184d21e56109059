import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { MongoClaimStore } from '../../src/claims/claim-store.ts';
import type { SentClaim } from '../../src/producer/producer-port.ts';
import { CLAIMS_QUEUE } from '../../src/queue/names.ts';
import { Cli, cliEnv } from '../support/cli.ts';
import { Harness } from '../support/harness.ts';
import { RawQueue } from '../support/raw-queue.ts';
import { until } from '../support/until.ts';

const RULES = { enabled: true, batchMax: 50, openMax: 60 };
/** Longer than any test: whatever ends these claims, it is not their deadline. */
const LONG_MS = 3_600_000;
/** A waiting claim looks at its own record this often, should nobody wake it. */
const SNOOZE_MS_MAX = 30_000;

const many = <Each extends object>(count: number, each = {} as Each): Each[] =>
  Array.from({ length: count }, () => each);

describe('claims that wait for conversations to come back', () => {
  let harness: Harness;
  let queue: RawQueue;
  beforeAll(async () => {
    harness = await Harness.open();
    queue = new RawQueue(harness, CLAIMS_QUEUE);
    await harness.startWorker();
    await harness.startWorker();
  });
  afterAll(async () => {
    await queue.close();
    await harness.close();
  });

  const claims = () => harness.context.stores.claims;

  /** Asked for, found the pool short, and snoozed. */
  async function waiting(campaignId: string, texterId: string, count: number, waitMs = LONG_MS): Promise<SentClaim> {
    const sent = await harness.producer.selfAssign({
      operationId: harness.newId('cl'),
      campaignId,
      texterId,
      count,
      waitMs,
    });
    await until(`${sent.operationId} to wait`, () => harness.isWaiting(sent.operationId));
    await until(`its job to be snoozed`, async () => (await queue.job(sent.operationId))?.isDelayed());
    return sent;
  }

  async function allWaiting(campaignId: string, counts: readonly number[]): Promise<SentClaim[]> {
    const sent: SentClaim[] = [];
    for (const [at, count] of counts.entries()) sent.push(await waiting(campaignId, `t${at + 1}`, count));
    return sent;
  }

  const granted = async (sent: readonly SentClaim[]): Promise<number[]> =>
    Promise.all(sent.map(async ({ operationId: claimId }) => (await claims().find(claimId))?.granted.length ?? 0));

  /** Conversations come back by another way than Baton's. */
  async function refill(campaignId: string, count: number): Promise<string[]> {
    const ids = await harness.seedConversations(campaignId, many(count));
    await harness.producer.poolRefilled(campaignId);
    return ids;
  }

  const sum = (counts: readonly number[]): number => counts.reduce((total, count) => total + count, 0);

  /** Resolves when what was refilled has been given out. */
  const givenOut = (sent: readonly SentClaim[], total: number): Promise<unknown> =>
    until(`${total} to be given out`, async () => sum(await granted(sent)) === total);

  it('are served first come first served, in part if need be, over as many refills as it takes', async () => {
    const campaignId = await harness.seedCampaign(4, { selfAssign: RULES });
    const sent = await allWaiting(campaignId, [5, 3, 4, 2]);
    const ids: string[] = [];
    for (const [refilled, have] of [
      [2, [2, 0, 0, 0]],
      [4, [5, 1, 0, 0]],
      [1, [5, 2, 0, 0]],
      [6, [5, 3, 4, 1]],
      [9, [5, 3, 4, 2]],
    ] as const) {
      ids.push(...(await refill(campaignId, refilled)));
      await givenOut(sent, sum(have));
      expect(await granted(sent)).toEqual(have);
    }
    const results = await Promise.all(sent.map((each) => each.result()));
    expect(results.flatMap(({ conversationIds }) => conversationIds)).toEqual(ids.slice(0, 14));
    expect(results.map(({ receipt }) => [receipt.moved, receipt.asked, receipt.shortBecause])).toEqual([
      [5, 5, null],
      [3, 3, null],
      [4, 4, null],
      [2, 2, null],
    ]);
    expect(await harness.holdings(campaignId)).toEqual({ t1: 5, t2: 3, t3: 4, t4: 2, pool: 8 });
  });

  it('are served by an unassign, by an unassign of one, and by an import', async () => {
    const campaignId = await harness.seedCampaign(4, { selfAssign: RULES });
    const held = await harness.seedConversations(campaignId, many(4, { assigneeId: 't4' }));
    const sent = await allWaiting(campaignId, [3, 1, 2]);
    const id = (): { operationId: string; campaignId: string } => ({ operationId: harness.newId('op'), campaignId });
    const unassign = { ...id(), from: { texterIds: ['t4'] }, status: 'not-started', count: 3 } as const;
    await (await harness.producer.unassign(unassign)).result();
    expect((await sent[0]?.result())?.conversationIds).toEqual(held.slice(0, 3));
    await (await harness.producer.unassignOne({ ...id(), conversationId: held[3] ?? '' })).result();
    expect((await sent[1]?.result())?.conversationIds).toEqual(held.slice(3));
    const file = 'name,phone\nAda,+15550009991\nBea,+15550009992\nCal,+15550009993\n';
    await new Cli(cliEnv(harness.config)).json(['import', campaignId, '-'], file);
    expect((await sent[2]?.result())?.receipt).toMatchObject({ moved: 2, shortBecause: null });
    expect(await harness.holdings(campaignId)).toEqual({ t1: 3, t2: 1, t3: 2, pool: 1 });
  });

  it('are not given again what was taken from them while they waited', async () => {
    const campaignId = await harness.seedCampaign(2, { selfAssign: RULES });
    const ids = await harness.seedConversations(campaignId, many(2));
    const sent = await allWaiting(campaignId, [4, 1]);
    const from = { texterIds: ['t1'] };
    const unassign = { operationId: harness.newId('op'), campaignId, from, status: 'any', confirm: 2 } as const;
    await (await harness.producer.unassign(unassign)).result();
    expect((await sent[1]?.result())?.conversationIds).toEqual(ids.slice(0, 1));
    const fresh = await refill(campaignId, 2);
    expect((await sent[0]?.result())?.conversationIds).toEqual([...ids, ...fresh]);
    expect(await harness.holdings(campaignId)).toEqual({ t1: 2, t2: 1, pool: 1 });
  });

  it('find what came back while they were getting ready to wait, and nobody said so', async () => {
    const campaignId = await harness.seedCampaign(1, { selfAssign: RULES });
    const serve = Reflect.get<MongoClaimStore, 'serve'>(MongoClaimStore.prototype, 'serve');
    const spy = vi.spyOn(MongoClaimStore.prototype, 'serve').mockImplementationOnce(async function (
      this: MongoClaimStore,
      ...args
    ) {
      const round = await serve.apply(this, args);
      await harness.seedConversations(campaignId, many(2));
      return round;
    });
    const claim = { operationId: harness.newId('cl'), campaignId, texterId: 't1', count: 2, waitMs: LONG_MS };
    const result = await (await harness.producer.selfAssign(claim)).result({ waitMs: 20_000 });
    spy.mockRestore();
    expect(result.receipt).toMatchObject({ moved: 2, shortBecause: null });
  });

  it('are not overtaken by a new claim, which gets what they leave', async () => {
    const campaignId = await harness.seedCampaign(3, { selfAssign: RULES });
    const sent = await allWaiting(campaignId, [4, 4]);
    // Nobody says that these have come: the new claim's own round finds them.
    const ids = await harness.seedConversations(campaignId, many(9));
    const late = { operationId: harness.newId('cl'), campaignId, texterId: 't3', count: 5 };
    const result = await (await harness.producer.selfAssign(late)).result();
    expect(result.conversationIds).toEqual(ids.slice(8));
    expect(result.receipt).toMatchObject({ moved: 1, shortBecause: 'none-left' });
    const waited = await Promise.all(sent.map((each) => each.result()));
    expect(waited.map(({ conversationIds }) => conversationIds)).toEqual([ids.slice(0, 4), ids.slice(4, 8)]);
  });

  it('are all served by one refill, however many they are, and before any new one', async () => {
    const campaignId = await harness.seedCampaign(251, { selfAssign: RULES });
    const asking = Array.from({ length: 250 }, (_, at) => {
      const input = { operationId: harness.newId('cl'), campaignId, texterId: `t${at + 1}`, count: 2, waitMs: LONG_MS };
      return harness.producer.selfAssign(input);
    });
    const sent = await Promise.all(asking);
    await until('all to wait', async () => {
      const { claims: ledger } = harness.context.database;
      return (await ledger.countDocuments({ campaignId, waiting: { $exists: true } })) === 250;
    });
    const order = await harness.context.database.claims
      .find({ campaignId }, { sort: { 'waiting.sequence': 1 } })
      .toArray();
    const ids = await harness.seedConversations(campaignId, many(503));
    const late = { operationId: harness.newId('cl'), campaignId, texterId: 't251', count: 5 };
    const result = await (await harness.producer.selfAssign(late)).result();
    expect(result.conversationIds).toEqual(ids.slice(500));
    const results = new Map(
      (await Promise.all(sent.map((each) => each.result()))).map((each) => [each.operationId, each]),
    );
    expect(order.flatMap(({ _id }) => results.get(_id)?.conversationIds ?? [])).toEqual(ids.slice(0, 500));
  });

  it('do not hold up those behind them while their texter is paused, has too much, or has replies to write', async () => {
    const campaignId = await harness.seedCampaign(4, { selfAssign: { ...RULES, openMax: 6, repliesMax: 0 } });
    const sent = await allWaiting(campaignId, [3, 3, 3, 3]);
    await harness.pause(campaignId, 't1');
    await harness.seedConversations(campaignId, [
      ...many(6, { assigneeId: 't2' }),
      { assigneeId: 't3', status: 'needs-reply' as const },
    ]);
    const ids = await refill(campaignId, 5);
    expect((await sent[3]?.result())?.conversationIds).toEqual(ids.slice(0, 3));
    expect(await granted(sent)).toEqual([0, 0, 0, 3]);
    await harness.pause(campaignId, 't1', true);
    await refill(campaignId, 1);
    expect((await sent[0]?.result())?.receipt).toMatchObject({ moved: 3, shortBecause: null });
    expect(await granted(sent)).toEqual([3, 0, 0, 3]);
  });

  it('do not hold up those behind them though there be more of them than one page of the ledger holds', async () => {
    const campaignId = await harness.seedCampaign(2, { selfAssign: RULES });
    const blocked = Array.from({ length: 130 }, () => ({
      operationId: harness.newId('cl'),
      campaignId,
      texterId: 't1',
      count: 1,
      waitMs: LONG_MS,
    }));
    const sent = await Promise.all(blocked.map((each) => harness.producer.selfAssign(each)));
    for (const { operationId: claimId } of sent) await until(`${claimId} to wait`, () => harness.isWaiting(claimId));
    const behind = await waiting(campaignId, 't2', 3);
    await harness.pause(campaignId, 't1');
    await refill(campaignId, 4);
    expect((await behind.result()).receipt).toMatchObject({ moved: 3 });
    expect(await harness.holdings(campaignId)).toEqual({ t2: 3, pool: 1 });
  });

  it('end with what they have when the most at once is lowered to it meanwhile', async () => {
    const campaignId = await harness.seedCampaign(2, { selfAssign: { ...RULES, batchMax: 8 } });
    const sent = await allWaiting(campaignId, [8, 8]);
    await refill(campaignId, 5);
    await givenOut(sent, 5);
    const lowered = { $set: { 'selfAssign.batchMax': 4 } };
    await harness.context.database.campaigns.updateOne({ _id: campaignId }, lowered);
    await refill(campaignId, 20);
    const results = await Promise.all(sent.map((each) => each.result()));
    expect(results.map(({ receipt }) => [receipt.moved, receipt.shortBecause])).toEqual([
      [5, 'batch-max'],
      [4, 'batch-max'],
    ]);
  });

  it('end at their deadline with what they have, and leave what comes later alone', async () => {
    const campaignId = await harness.seedCampaign(1, { selfAssign: RULES });
    await harness.seedConversations(campaignId, many(2));
    const input = { operationId: harness.newId('cl'), campaignId, texterId: 't1', count: 5, waitMs: 700 };
    const sent = await harness.producer.selfAssign(input);
    const result = await sent.result();
    expect(result.receipt).toMatchObject({ moved: 2, asked: 5, shortBecause: 'none-left' });
    const { acceptedAt, endedAt, state } = (await claims().find(sent.operationId)) ?? {};
    expect(state).toBe('done');
    expect(endedAt?.getTime()).toBeGreaterThanOrEqual((acceptedAt?.getTime() ?? Infinity) + 700);
    await refill(campaignId, 3);
    const probe = { operationId: harness.newId('cl'), campaignId, texterId: 't1', count: 3 };
    expect((await (await harness.producer.selfAssign(probe)).result()).receipt.moved).toBe(3);
    expect(await (await harness.producer.selfAssign(input)).result()).toEqual({ ...result, outcome: 'exists' });
  });

  it('are answered though the worker that completed them died before it could wake their jobs', async () => {
    const campaignId = await harness.seedCampaign(1, { selfAssign: RULES });
    const [sent] = await allWaiting(campaignId, [2]);
    await harness.seedConversations(campaignId, many(2));
    // All that such a worker leaves behind.
    await claims().serve(campaignId, []);
    expect(await harness.isWaiting(sent?.operationId ?? '')).toBe(false);
    const job = await queue.job(sent?.operationId ?? '');
    expect(job?.delay).toBeLessThanOrEqual(SNOOZE_MS_MAX);
    // Its time has come.
    await job?.promote();
    expect((await sent?.result())?.receipt).toMatchObject({ moved: 2, shortBecause: null });
  });
});
