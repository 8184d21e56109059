import type { Document } from 'bson';
import { beforeAll, describe, expect, it } from 'vitest';
import { ownDatabase } from './support.js';

const own = ownDatabase('documentdb_explain');
const conversations = () => own.db.collection('conversations');
const waiting = { campaignId: 'c1', assigneeId: 't2', status: 'waiting' };
const inOrder = { waitingSince: 1, _id: 1 } as const;

beforeAll(async () => {
  await conversations().createIndex(
    { campaignId: 1, assigneeId: 1, status: 1, waitingSince: 1, _id: 1 },
    { name: 'queue' },
  );
  const documents = Array.from({ length: 20_000 }, (_, index) => ({
    campaignId: `c${index % 2}`,
    assigneeId: `t${index % 4}`,
    status: index % 5 === 0 ? 'closed' : 'waiting',
    waitingSince: new Date(1_700_000_000_000 + index * 1000),
    body: 'x'.repeat(200),
  }));
  // With the values above, no document has both c1 and t2.
  for (const [index, document] of documents.entries())
    if (index % 3 === 0) Object.assign(document, { campaignId: 'c1', assigneeId: 't2' });
  await conversations().insertMany(documents);
});

/** Returns the names of all stages, from the top. */
function stages(plan: Document): string[] {
  const inputs = (plan['inputStages'] ?? [plan['inputStage']]) as (Document | undefined)[];
  const own = plan['stage'] === undefined ? [] : [String(plan['stage'])];
  // In newer versions of MongoDB, the tree is one level deeper.
  const deeper = plan['queryPlan'] === undefined ? [] : stages(plan['queryPlan'] as Document);
  return [...own, ...deeper, ...inputs.flatMap((input) => (input === undefined ? [] : stages(input)))];
}

function indexNames(plan: Document): string[] {
  const name = plan['indexName'] === undefined ? [] : [String(plan['indexName'])];
  return [
    ...name,
    ...Object.values(plan).flatMap((value) =>
      typeof value === 'object' && value !== null ? indexNames(value as Document) : [],
    ),
  ];
}

const winning = (explained: Document) => (explained['queryPlanner'] as Document)['winningPlan'] as Document;
const statistics = (explained: Document) => explained['executionStats'] as Record<string, number>;

describe('explain', () => {
  it('shows an ordered index scan that examines only the returned documents', async () => {
    const after = new Date(1_700_000_000_000 + 5_000_000);
    const query = conversations()
      .find({ ...waiting, waitingSince: { $gt: after } })
      .sort(inOrder)
      .limit(10);
    const explained = await query.explain('executionStats');
    expect(stages(winning(explained))).toEqual(['LIMIT', 'FETCH', 'IXSCAN']);
    expect(indexNames(winning(explained))).toEqual(['queue']);
    expect(statistics(explained)).toMatchObject({ nReturned: 10, totalDocsExamined: 10 });
    expect(statistics(explained)['totalKeysExamined']).toBeLessThanOrEqual(11);
  });

  it('shows the same scan for a page that starts after a key', async () => {
    const [last] = await conversations().find(waiting).sort(inOrder).skip(500).limit(1).toArray();
    const { waitingSince, _id } = last as unknown as { waitingSince: Date; _id: never };
    const filter = {
      ...waiting,
      waitingSince: { $gte: waitingSince },
      $or: [{ waitingSince: { $gt: waitingSince } }, { _id: { $gt: _id } }],
    };
    const explained = await conversations().find(filter).sort(inOrder).limit(10).explain('executionStats');
    expect(stages(winning(explained))).not.toContain('SORT');
    expect(statistics(explained)['totalDocsExamined']).toBeLessThanOrEqual(11);
  });

  it('shows a backward scan for a descending sort', async () => {
    const explained = await conversations()
      .find(waiting)
      .sort({ waitingSince: -1, _id: -1 })
      .limit(10)
      .explain('executionStats');
    expect(stages(winning(explained))).not.toContain('SORT');
    expect(statistics(explained)['totalDocsExamined']).toBe(10);
  });

  it('shows a merge of ordered scans for a filter with $in', async () => {
    const filter = { ...waiting, status: { $in: ['waiting', 'closed'] } };
    const explained = await conversations().find(filter).sort(inOrder).limit(10).explain('executionStats');
    expect(stages(winning(explained))).toContain('SORT_MERGE');
    expect(stages(winning(explained))).not.toContain('SORT');
    expect(statistics(explained)['totalDocsExamined']).toBeLessThanOrEqual(12);
  });

  it('shows a collection scan with the number of documents examined', async () => {
    const explained = await conversations().find({ body: 'nothing' }).explain('executionStats');
    expect(stages(winning(explained))).toEqual(['COLLSCAN']);
    expect(statistics(explained)).toMatchObject({ nReturned: 0, totalKeysExamined: 0, totalDocsExamined: 20_000 });
  });

  it('shows a sort stage for a sort without an index', async () => {
    const explained = await conversations().find(waiting).sort({ body: 1 }).explain('queryPlanner');
    expect(stages(winning(explained))).toContain('SORT');
    expect(explained['executionStats']).toBeUndefined();
  });

  it('shows the plan of an aggregate, a count and each kind of write, and writes nothing', async () => {
    const pipeline = [{ $match: waiting }, { $sort: inOrder }, { $limit: 5 }];
    expect(indexNames(await conversations().aggregate(pipeline).explain('executionStats'))).toContain('queue');
    const commands = [
      { count: 'conversations', query: waiting },
      { update: 'conversations', updates: [{ q: waiting, u: { $set: { seen: true } }, multi: true }] },
      { delete: 'conversations', deletes: [{ q: waiting, limit: 0 }] },
      { findAndModify: 'conversations', query: waiting, sort: inOrder, update: { $set: { seen: true } } },
    ];
    for (const explain of commands) {
      const explained = await own.db.command({ explain, verbosity: 'queryPlanner' });
      expect(indexNames(winning(explained))).toContain('queue');
    }
    expect(await conversations().countDocuments({ seen: true })).toBe(0);
    expect(await conversations().countDocuments()).toBe(20_000);
  });
});
