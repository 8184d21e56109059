import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Database } from '../../src/mongo/connect.ts';
import { audit, type AskedFor } from '../support/audit.ts';
import type { SeededCampaign } from '../support/audit-trails.ts';
import { Harness } from '../support/harness.ts';

type Damage = (database: Database) => Promise<unknown>;

const ofClaim = { 'request.kind': 'self-assign' };
const ofOperation = { 'request.kind': 'reassign' as const };

/** What must never happen, done by hand. */
const DAMAGES: Record<string, Damage> = {
  'a holder that nobody knows': (database) =>
    database.conversations.updateOne({ assigneeId: 't1' }, { $set: { assigneeId: 'stranger' } }),
  'a holder that no move led to': (database) =>
    database.conversations.updateOne({ assigneeId: 't1' }, { $set: { assigneeId: 't2' } }),
  'a move without a trace': (database) =>
    database.conversations.updateOne({ assigneeId: 't1' }, { $inc: { assignmentVersion: 1 } }),
  'a trace lost': (database) => database.conversations.updateOne({ assigneeId: 't1' }, { $pop: { trail: 1 } }),
  'a move by another operation': (database) =>
    database.conversations.updateOne(
      { assigneeId: 't1' },
      { $set: { lastOperationId: 'other', 'trail.0.operationId': 'other' } },
    ),
  'a conversation gone': (database) => database.conversations.deleteOne({ assigneeId: 't1' }),
  'a receipt that counts otherwise': (database) =>
    database.operations.updateOne(ofOperation, { $inc: { 'receipt.moved': 1, 'receipt.selected': 1 } }),
  'an operation that goes on': (database) => database.operations.updateOne(ofOperation, { $set: { state: 'running' } }),
  'an operation gone': (database) => database.operations.deleteOne(ofOperation),
  'an operation that nobody asked for': async (database) => {
    const known = await database.operations.findOne(ofOperation);
    if (known) await database.operations.insertOne({ ...known, _id: 'unasked' });
  },
  'a batch gone': (database) => database.batches.deleteOne({ number: 1 }),
  'a batch left behind': (database) => database.batches.updateOne({ number: 1 }, { $set: { state: 'planned' } }),
  'a batch that was not made': (database) => database.batches.updateOne({ number: 1 }, { $set: { state: 'dropped' } }),
  'a grant taken back': (database) => database.claims.updateOne(ofClaim, { $pop: { granted: 1 } }),
  'a claim that waits on': (database) =>
    database.claims.updateOne(ofClaim, { $set: { waiting: { sequence: 1, until: new Date() } } }),
};

describe('the audit', () => {
  let harness: Harness;
  beforeAll(async () => {
    harness = await Harness.open({ batchConversationsMax: 5 });
    await harness.startWorker();
  });
  afterAll(() => harness.close());

  /** Twelve are dealt to two, two more are claimed by the first. */
  async function play(): Promise<{ campaign: SeededCampaign; asked: AskedFor[] }> {
    await Promise.all(
      ['conversations', 'operations', 'batches'].map((name) =>
        harness.context.database.command({ delete: name, deletes: [{ q: {}, limit: 0 }] }),
      ),
    );
    const rules = { enabled: true, batchMax: 10, openMax: 20, repliesMax: null };
    const campaignId = await harness.seedCampaign(2, { selfAssign: rules });
    const ids = await harness.seedConversations(
      campaignId,
      Array.from({ length: 20 }, () => ({})),
    );
    const { producer } = harness;
    const [operationId, claimId] = [harness.newId('op'), harness.newId('cl')];
    const all = { operationId, campaignId, from: 'pool', to: 'everyone', status: 'any', count: 12 } as const;
    const dealt = await (await producer.reassign(all)).result();
    const claimed = await (await producer.selfAssign({ claimId, campaignId, texterId: 't1', count: 2 })).result();
    const asked = [
      { id: operationId, campaignId, told: [dealt] },
      { id: claimId, campaignId, told: [claimed] },
    ];
    const holders = new Map(ids.map((id) => [id, null]));
    return { campaign: { campaignId, texterIds: ['t1', 't2'], rules, holders }, asked };
  }

  it('finds nothing wrong with what happened', async () => {
    const { campaign, asked } = await play();
    expect(await audit(harness, [campaign], asked)).toEqual({
      violations: [],
      checked: { conversations: 20, moves: 14, operations: 1, claims: 1, batches: 4 },
    });
  });

  it.each(Object.entries(DAMAGES))('finds %s', async (_what, damage) => {
    const { campaign, asked } = await play();
    await damage(harness.context.database);
    expect((await audit(harness, [campaign], asked)).violations).not.toEqual([]);
  });

  it('finds an answer that differs from the ledger, one that never came, and two that say "created"', async () => {
    const { campaign, asked } = await play();
    const [operation, claim] = asked as [AskedFor, AskedFor];
    const told = [...operation.told, ...operation.told];
    expect((await audit(harness, [campaign], [{ ...operation, told }, claim])).violations).toHaveLength(1);
    expect((await audit(harness, [campaign], [{ ...operation, told: [] }, claim])).violations).toHaveLength(1);
    const other = { ...operation, told: [{ code: 'no-targets' }] };
    expect((await audit(harness, [campaign], [other, claim])).violations).toHaveLength(1);
  });
});
