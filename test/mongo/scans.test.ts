import { serveClaims } from '../../src/claims/index.ts';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Pool } from '../../src/claims/claim.ts';
import { MongoRoundStore } from '../../src/claims/round-store.ts';
import { positionOf, STATUSES, type Position } from '../../src/domain/conversation.ts';
import { objectIds } from '../../src/mongo/documents.ts';
import { ASSIGNEE_INDEX, INDEXES } from '../../src/mongo/indexes.ts';
import { campaignDoc, claimDoc } from '../support/documents.ts';
import { explainedFinds, explainedPipelines, sumOf } from '../support/explained.ts';
import { Harness, many } from '../support/harness.ts';
import { oneSlice } from '../support/run-operation.ts';

/** An ordered scan may read one key on either side of its range. */
const KEYS_BEYOND = 2;

describe('the database, without scanning more documents than it returns', () => {
  let harness: Harness;
  let campaignId: string;
  let ids: string[];
  const tiedAt = 500_000;

  beforeAll(async () => {
    harness = await Harness.open();
    campaignId = await harness.seedCampaign(3);
    const statuses = ['needs-reply', 'not-started', 'closed'] as const;
    ids = await harness.seedConversations(
      campaignId,
      Array.from({ length: 6_000 }, (_, index) => ({
        assigneeId: index % 2 === 0 ? null : `t${(index % 3) + 1}`,
        status: statuses[index % 3] ?? 'closed',
        waitedMs: index < 600 ? tiedAt : index,
      })),
    );
  });
  afterAll(() => harness.close());

  const expectTight = async (work: () => Promise<unknown>): Promise<void> => {
    const explained = await explainedFinds(work);
    expect(explained.length).toBeGreaterThan(0);
    for (const { queryPlanner, executionStats } of explained) {
      const plan = JSON.stringify(queryPlanner.winningPlan);
      expect(plan).toContain('IXSCAN');
      expect(plan).not.toMatch(/"(COLLSCAN|SORT)"/);
      expect(executionStats.totalDocsExamined).toBeLessThanOrEqual(executionStats.nReturned + KEYS_BEYOND);
      // The development server keeps the old version of a document that was just updated in the index of ids.
      const versions = plan.includes('"_id_"') ? 2 : 1;
      const keysMax = versions * executionStats.nReturned + KEYS_BEYOND;
      expect(executionStats.totalKeysExamined).toBeLessThanOrEqual(keysMax);
    }
  };

  it.each([null, 't2'])('reads a first page of the conversations assigned to %s', async (assigneeId) => {
    const range = { campaignId, assigneeId, status: 'not-started' } as const;
    await expectTight(() => harness.context.stores.conversations.readPage(range, null, 50, 'op_x'));
  });

  it.each([null, 't2'])(
    'reads a later page of the conversations assigned to %s, also when many have waited equally long',
    async (assigneeId) => {
      const range = { campaignId, assigneeId, status: 'not-started' } as const;
      const { conversations } = harness.context.stores;
      const first = await conversations.readPage(range, null, 40, 'op_x');
      const last = first.at(-1);
      expect(last).toBeDefined();
      if (last) await expectTight(() => conversations.readPage(range, last, 200, 'op_x'));
    },
  );

  it.each([null, 't2'])(
    'reads the last conversations assigned to %s from the end, and those before',
    async (assigneeId) => {
      const range = { campaignId, assigneeId, status: 'not-started' } as const;
      const { conversations } = harness.context.stores;
      await expectTight(() => conversations.readPageBefore(range, null, 50, 'op_x'));
      const last = (await conversations.readPageBefore(range, null, 700, 'op_x')).at(-1);
      expect(last).toBeDefined();
      if (last) await expectTight(() => conversations.readPageBefore(range, last, 200, 'op_x'));
    },
  );

  it('counts a campaign by assignee and status from the keys of its own conversations', async () => {
    const counted = await harness.seedCampaign(2);
    await harness.seedConversations(counted, [
      ...many(300, {}),
      ...many(200, { assigneeId: 't1', status: 'closed' }),
      ...many(20, { assigneeId: 't2', optedOut: true }),
    ]);
    const { conversations } = harness.context.stores;
    const [all] = await explainedPipelines(() => conversations.countByAssignee(counted));
    expect(JSON.stringify(all)).toContain('"assignee_in_order"');
    expect(sumOf(all, 'collectionScans')).toBe(0);
    expect(sumOf(all, 'totalKeysExamined')).toBeLessThanOrEqual(520 + KEYS_BEYOND);
    // MongoDB answers from the keys alone, because the pipeline needs no other field. The development server fetches the
    // document of each key.
    const keys = Object.keys(INDEXES.find(({ name }) => name === ASSIGNEE_INDEX)?.keys ?? {});
    expect(keys).toEqual(expect.arrayContaining(['campaignId', 'assigneeId', 'status']));
    expect(sumOf(all, 'totalDocsExamined')).toBeLessThanOrEqual(520);
    const [optedOut] = await explainedPipelines(() => conversations.countOptedOut(counted));
    expect(JSON.stringify(optedOut)).toContain('"opted_out_by_assignee"');
    expect(sumOf(optedOut, 'totalKeysExamined')).toBeLessThanOrEqual(20 + KEYS_BEYOND);
    const sorted = (await conversations.countByAssignee(counted)).toSorted((a, b) => b.count - a.count);
    expect(sorted).toEqual([
      { assigneeId: null, status: 'not-started', count: 300 },
      { assigneeId: 't1', status: 'closed', count: 200 },
      { assigneeId: 't2', status: 'not-started', count: 20 },
    ]);
    expect(await conversations.countOptedOut(counted)).toEqual([
      { assigneeId: 't2', status: 'not-started', count: 20 },
    ]);
  });

  it('counts the conversations of the texters in a round of claims without reading those of other texters', async () => {
    const rules = { enabled: true, batchMax: 10, openMax: 50, repliesMax: 5 };
    const claiming = await harness.seedCampaign(4, { selfAssign: rules });
    await harness.seedConversations(claiming, [
      ...many(900, { assigneeId: 't4' }),
      ...many(700, { assigneeId: 't1', status: 'closed' }),
      ...many(30, { assigneeId: 't1' }),
      ...many(20, { assigneeId: 't2' }),
      ...many(3, { assigneeId: 't2', status: 'needs-reply' }),
      ...many(400, {}),
    ]);
    const ended = Array.from({ length: 500 }, (_, at) => claimDoc({ _id: `cl_${at}`, campaignId: claiming }));
    await harness.seeder.operations(ended);
    const commands = ['t1', 't2'].map((texterId) => {
      const request = {
        kind: 'self-assign',
        operationId: harness.newId('cl'),
        campaignId: claiming,
        texterId,
      } as const;
      return { request, requestHash: 'h', sendId: 's' };
    });
    const explained = await explainedPipelines(() => serveClaims(harness.context.stores.claims, claiming, commands));
    // Two texters, the twenty conversations that they just received, and those that the rules count.
    const expected = [
      { indexes: ['"campaign_lock"', '"assignee_in_order"'], examinedMax: 1 + 2 + 20 + 30 + 20 },
      { indexes: ['"assignee_in_order"'], examinedMax: 2 + 20 + 30 + 20 + 3 },
    ];
    expect(explained).toHaveLength(expected.length);
    for (const [at, { indexes, examinedMax }] of expected.entries()) {
      const plan = JSON.stringify(explained[at]);
      for (const index of indexes) expect(plan).toContain(index);
      expect(plan).not.toContain('"COLLSCAN"');
      expect(sumOf(explained[at], 'collectionScans')).toBe(0);
      expect(sumOf(explained[at], 'totalDocsExamined')).toBeLessThanOrEqual(examinedMax);
    }
  });

  it('counts the loads of the targets of single moves from their keys, and none where the campaign has no limits', async () => {
    const limited = await harness.seedCampaign(3, { selfAssign: { enabled: true, openMax: 50 } });
    const unlimited = await harness.seedCampaign(3);
    for (const seeded of [limited, unlimited]) {
      await harness.seedConversations(seeded, [
        ...many(200, { assigneeId: 't3' }),
        ...many(90, { assigneeId: 't1', status: 'closed' }),
        ...many(30, { assigneeId: 't1' }),
        ...many(4, { assigneeId: 't1', optedOut: true }),
        ...many(3, { assigneeId: 't2', status: 'needs-reply' }),
      ]);
    }
    const { claims } = harness.context.stores;
    const [counted] = await explainedPipelines(() => claims.limitedLoads(limited, ['t1', 't2']));
    const plan = JSON.stringify(counted);
    for (const index of ['"assignee_in_order"', '"opted_out_by_assignee"', '"no_opt_out_by_assignee"'])
      expect(plan).toContain(index);
    expect(plan).not.toContain('"COLLSCAN"');
    expect(sumOf(counted, 'collectionScans')).toBe(0);
    expect(sumOf(counted, 'totalDocsExamined')).toBeLessThanOrEqual(1 + 2 + 34 + 4 + 3);
    const [none] = await explainedPipelines(() => claims.limitedLoads(unlimited, ['t1', 't2']));
    expect(sumOf(none, 'totalDocsExamined')).toBeLessThanOrEqual(1);
    expect([...(await claims.limitedLoads(limited, ['t1', 't2']))]).toEqual([
      ['t1', { active: true, notStarted: 30, needsReply: 0 }],
      ['t2', { active: true, notStarted: 0, needsReply: 3 }],
    ]);
  });

  it('reads the pool for a round of claims beside an operation, on both sides of what the operation has planned', async () => {
    const claiming = await harness.seedCampaign(4);
    // Many conversations have waited since the same moment as those at the bounds.
    const pool = Array.from({ length: 600 }, (_, at) => ({ waitedMs: 1_000_000 - Math.floor(at / 100) }));
    const inOrder = (await harness.seedConversations(claiming, pool)).map((id, at) => ({ id, at }));
    // The first batch takes these, so that no conversation leaves the ranges below.
    await harness.seedConversations(claiming, [{ status: 'needs-reply' }, { status: 'needs-reply' }]);
    const positionAt = async (index: number): Promise<Position> => {
      const id = inOrder[index]?.id ?? '';
      const found = await harness.context.stores.conversations.findOne(claiming, id);
      if (!found) throw new Error('the conversation was not seeded');
      return positionOf(found);
    };
    const to = { texterIds: ['t1'] };
    const asked = {
      kind: 'reassign',
      operationId: harness.newId('op'),
      campaignId: claiming,
      from: 'pool',
      to,
    } as const;
    const { stores, database } = harness.context;
    await oneSlice(stores, { ...asked, status: 'any', count: 4 }, { batchConversationsMax: 2 });
    const planned = inOrder.slice(240, 250).map(({ id }) => id);
    const move = { from: null, to: 't1', status: 'not-started', conversationIds: planned } as const;
    const after = { position: await positionAt(250), readAhead: await positionAt(350), loads: [0], planned: 12 };
    const batch = { operationId: asked.operationId, campaignId: claiming, number: 99, moves: [move], skips: [], after };
    await stores.batches.insert(batch);
    const read = (limit: number): Promise<Pool> =>
      database.transaction(async (session) => {
        const round = new MongoRoundStore(database, session, claiming);
        await round.start([], 10);
        return round.readPool(limit);
      });
    await expectTight(async () => {
      expect((await read(20)).ids).toEqual(inOrder.slice(351, 371).map(({ id }) => id));
    });
    await expectTight(async () => {
      const { ids: free, shortage } = await read(1_000);
      // Without those that are planned or read ahead.
      expect(free).toHaveLength(600 - 10 - 100);
      expect(shortage).toBe('being-reassigned');
      expect(free.some((id) => planned.includes(id))).toBe(false);
    });
  });

  it('reads the newest batches of an operation, and those with shortfalls', async () => {
    for (const operationId of ['op_a', 'op_b']) {
      for (let number = 1; number <= 40; number += 1) {
        const after = { position: null, loads: [0], planned: 0 };
        await harness.context.stores.batches.insert({ operationId, campaignId, number, moves: [], skips: [], after });
      }
    }
    await expectTight(() => harness.context.stores.batches.recent('op_a', 18));
    await expectTight(() => harness.context.stores.batches.last('op_a'));
    await expectTight(() => harness.context.stores.batches.readAfter('op_a', 20, 4));
    const page = harness.context.operationViews.batchesFrom('op_a', 20, { atOnceMax: 2, inAllMax: 5 });
    await expectTight(async () => {
      for await (const _batch of page) void _batch;
    });
    await harness.context.database.batches.updateOne(
      { operationId: 'op_b' },
      { $set: { shortfalls: [{ from: 't1', to: null, count: 1 }] } },
    );
    await expectTight(() => harness.context.stores.batches.shortfalls('op_b'));
  });

  it('finds what a reconcile pass needs: unfinished operations, operations past their retention, and pools', async () => {
    const { reconcileStore } = harness.context;
    const DAY_MS = 86_400_000;
    const now = Date.now();
    const states = ['running', 'accepted', 'failed'] as const;
    await harness.seeder.operations(
      Array.from({ length: 2_000 }, (_, at) => {
        const acceptedAt = new Date(now - Math.trunc(at / 20) * DAY_MS);
        const state = at % 10 === 0 ? (states[at % 3] ?? 'failed') : 'done';
        const endedAt = state === 'done' || state === 'failed' ? acceptedAt : null;
        return claimDoc({ _id: `op_${at}`, campaignId, state, acceptedAt, endedAt });
      }),
    );
    const pages = async (): Promise<void> => {
      for await (const page of reconcileStore.unfinished()) expect(page.length).toBeGreaterThan(0);
    };
    await expectTight(pages);
    await expectTight(() => reconcileStore.markExpired(new Date(now - 90 * DAY_MS)));
    await expectTight(() => reconcileStore.markExpired(new Date(0)));
    await expectTight(() => harness.context.stores.claims.hasClaimable(campaignId));
  });

  it('finds conversations by the id of another system and by the name of the contact', async () => {
    const { views } = harness.context;
    const named = await harness.seedConversations(campaignId, [{ name: 'Alma' }, { name: 'Alma' }]);
    await harness.context.database.conversations.updateOne(
      { _id: { $in: objectIds(named.slice(0, 1)) } },
      { $set: { externalId: 'x7' } },
    );
    await expectTight(async () => {
      const [conversationId] = named;
      expect(await views.findByText(campaignId, ['x7'], 10)).toEqual([{ conversationId, by: 'external id' }]);
    });
    await expectTight(async () => {
      expect(await views.findByText(campaignId, ['Alma'], 10)).toHaveLength(2);
    });
  });

  it('lists the operations of a campaign, newest first, without sorting', async () => {
    const { operationViews } = harness.context;
    await expectTight(() => operationViews.listOperations(campaignId, 50));
    // Twenty of the seeded operations have the same time. The last one of this page is the first of its time.
    const last = (await operationViews.listOperations(campaignId, 1_001)).at(-1);
    await expectTight(() => operationViews.listOperations(campaignId, 50, {}, last));
  });

  it('lists a later page of the campaigns of an organisation, newest first, without reading the earlier ones', async () => {
    const organisationId = 'manycampaigns';
    const docs = Array.from({ length: 400 }, (_, at) => ({
      ...campaignDoc({ _id: `${organisationId}~c${at}`, texterCount: 0 }),
      ...{ organisationId, createdAt: new Date(1_700_000_000_000 + at) },
    }));
    await harness.context.database.campaigns.insertMany(docs);
    const { campaigns } = harness.context.stores;
    const last = (await campaigns.listOf(organisationId, null, 200)).at(-1) ?? null;
    await expectTight(async () => {
      const page = await campaigns.listOf(organisationId, last, 50);
      expect(page[0]?.campaignId).toBe(`${organisationId}~c199`);
    });
  });

  it('searches for conversations of no known status without reading those of known ones', async () => {
    const unknown = await harness.seedCampaign(2);
    const assignees = [null, 't1', 't2'];
    const seeded = assignees.flatMap((assigneeId) => STATUSES.map((status) => ({ assigneeId, status })));
    const found = await harness.seedConversations(unknown, [...seeded, ...seeded, {}, {}]);
    const changed = found.slice(-2);
    const { conversations } = harness.context.database;
    const [first, second] = objectIds(changed);
    await conversations.updateOne({ _id: first as never }, { $set: { status: 'archived' as never } });
    await conversations.updateOne({ _id: second as never }, { $unset: { status: '' } });
    const explained = await explainedFinds(async () => {
      const read = await harness.context.stores.conversations.readUnknown(unknown, assignees, 0, 'op');
      expect(read?.map(({ id }) => id).sort()).toEqual(changed.sort());
    });
    const examined = explained.map(({ executionStats }) => executionStats.totalDocsExamined);
    expect(examined.reduce((sum, each) => sum + each, 0)).toBe(changed.length);
  });

  it('reads one conversation', async () => {
    const found = await harness.context.stores.conversations.findOne(campaignId, ids[7] ?? '');
    expect(found).toMatchObject({ id: ids[7] });
  });
});
