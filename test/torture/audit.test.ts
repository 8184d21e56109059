import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Database } from '../../src/mongo/database.ts';
import { audit, type AskedFor } from '../support/audit.ts';
import type { SeededCampaign } from '../support/audit-history.ts';
import { cancelAt } from '../support/cancel.ts';
import { Harness } from '../support/harness.ts';
import { oneSlice } from '../support/run-operation.ts';

type Damage = (database: Database) => Promise<unknown>;

const ofClaim = { 'request.kind': 'self-assign' };
const ofOperation = { 'request.kind': 'reassign' as const };

/** What must never happen, done by hand. */
const DAMAGES: Record<string, Damage> = {
  'a assignee that nobody knows': (database) =>
    database.conversations.updateOne({ assigneeId: 't1' }, { $set: { assigneeId: 'stranger' } }),
  'a assignee that no move led to': (database) =>
    database.conversations.updateOne({ assigneeId: 't1' }, { $set: { assigneeId: 't2' } }),
  'a move without a trace': (database) =>
    database.conversations.updateOne({ assigneeId: 't1' }, { $inc: { assignmentVersion: 1 } }),
  'a trace lost': (database) => database.conversations.updateOne({ assigneeId: 't1' }, { $pop: { history: 1 } }),
  'a move by another operation': (database) =>
    database.conversations.updateOne(
      { assigneeId: 't1' },
      { $set: { lastOperationId: 'other', 'history.0.operationId': 'other' } },
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

const NONE = { undos: 0, cancelled: 0, reopened: 0 };
const ofUndo = { 'request.kind': 'undo' as const };
const ofSingle = { 'request.kind': 'reassign-one' as const };
const ofCancelled = { state: 'cancelled' as const };

/** The same of what was taken back, and of what was stopped. */
const DAMAGES_TO_UNDONE: Record<string, Damage> = {
  'another undone than was asked for': async (database) => {
    const single = await database.operations.findOne(ofSingle);
    await database.operations.updateOne(ofUndo, { $set: { 'request.undoes': single?._id } as never });
  },
  'an undo of nothing': (database) =>
    database.operations.updateOne(ofUndo, { $set: { 'request.undoes': 'nothing' } as never }),
  'one kept back for no reason': (database) =>
    database.batches.updateOne({ 'skips.count': 1 }, { $set: { 'skips.0.reason': 'opted-out' } }),
  'one kept back that nobody had touched': async (database) => {
    const single = await database.operations.findOne(ofSingle);
    await database.conversations.updateOne({ lastOperationId: single?._id ?? '' }, { $pop: { history: 1 } });
  },
  'more left than was asked for': (database) =>
    database.operations.updateOne(ofCancelled, { $inc: { 'receipt.left': 1 } }),
  'a stop that nobody noted': (database) =>
    database.operations.updateOne(ofCancelled, { $set: { cancellation: null } }),
  'a stop that was none': (database) => database.operations.updateOne(ofCancelled, { $set: { state: 'done' } }),
  'something left by what was not stopped': (database) =>
    database.operations.updateOne(ofUndo, { $set: { 'receipt.left': 0 } }),
};

describe('the audit', () => {
  let harness: Harness;
  beforeAll(async () => {
    harness = await Harness.open({ batchConversationsMax: 5 });
    await harness.startWorker();
  });
  afterAll(() => harness.close());

  async function seed(): Promise<SeededCampaign> {
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
    const assignees = new Map(ids.map((id) => [id, null]));
    return { campaignId, texterIds: ['t1', 't2'], rules, assignees };
  }

  /** Twelve are dealt to two, two more are claimed by the first. */
  async function play(): Promise<{ campaign: SeededCampaign; asked: AskedFor[] }> {
    const campaign = await seed();
    const { campaignId } = campaign;
    const { producer } = harness;
    const [operationId, claimId] = [harness.newId('op'), harness.newId('cl')];
    const all = { operationId, campaignId, from: 'pool', to: 'everyone', status: 'any', count: 12 } as const;
    const dealt = await (await producer.reassign(all)).result();
    const claimed = await (
      await producer.selfAssign({ operationId: claimId, campaignId, texterId: 't1', count: 2 })
    ).result();
    const asked = [
      { id: operationId, campaignId, told: [dealt] },
      { id: claimId, campaignId, told: [claimed] },
    ];
    return { campaign, asked };
  }

  /** Twelve are dealt, one of them is moved by itself, the dealing is undone; another is stopped after its first batch. */
  async function playUndone(): Promise<{ campaign: SeededCampaign; asked: AskedFor[] }> {
    const campaign = await seed();
    const { campaignId } = campaign;
    const { producer, context } = harness;
    const [deal, single, undo, halt] = [0, 1, 2, 3].map(() => harness.newId('op')) as [string, string, string, string];
    const all = { campaignId, from: 'pool', to: { texterIds: ['t1'] }, status: 'any' } as const;
    const dealt = await (await producer.reassign({ operationId: deal, ...all, count: 12 })).result();
    const [conversationId = ''] = campaign.assignees.keys();
    const one = { operationId: single, campaignId, conversationId, to: { texterIds: ['t2'] as [string] } };
    const moved = await (await producer.reassignOne(one)).result();
    const undone = await (await producer.undo({ operationId: undo, campaignId, undoes: deal })).result();
    const halted = { kind: 'reassign', operationId: halt, ...all, count: 9 } as const;
    await oneSlice(context.stores, halted);
    const { receipt } = await cancelAt(context.stores, halted);
    if (!receipt) throw new Error('expected a receipt of what was cancelled, got none');
    const answers = { [deal]: dealt, [single]: moved, [undo]: undone, [halt]: { receipt } };
    const asked = Object.entries(answers).map(([id, answer]) => ({ id, campaignId, told: [answer] }));
    return { campaign, asked: [...asked, { id: halt, campaignId, told: [{ receipt }], stops: true }] };
  }

  it('finds nothing wrong with what happened', async () => {
    const { campaign, asked } = await play();
    expect(await audit(harness, [campaign], asked)).toEqual({
      violations: [],
      checked: { ...NONE, conversations: 20, moves: 14, operations: 1, claims: 1, batches: 4 },
    });
  });

  it.each(Object.entries(DAMAGES))('finds %s', async (_what, damage) => {
    const { campaign, asked } = await play();
    await damage(harness.context.database);
    expect((await audit(harness, [campaign], asked)).violations).not.toEqual([]);
  });

  it('finds nothing wrong with what was undone and stopped', async () => {
    const { campaign, asked } = await playUndone();
    const { violations, checked } = await audit(harness, [campaign], asked);
    expect(violations).toEqual([]);
    expect(checked).toMatchObject({ conversations: 20, operations: 4, claims: 0, undos: 1, cancelled: 1, reopened: 0 });
  });

  it.each(Object.entries(DAMAGES_TO_UNDONE))('finds %s', async (_what, damage) => {
    const { campaign, asked } = await playUndone();
    await damage(harness.context.database);
    expect((await audit(harness, [campaign], asked)).violations).not.toEqual([]);
  });

  it('finds a stop that nobody asked for, one told otherwise, and one never answered', async () => {
    const { campaign, asked } = await playUndone();
    const [stop] = asked.splice(4) as [AskedFor];
    expect((await audit(harness, [campaign], asked)).violations).toHaveLength(1);
    const told = [{ code: 'operation-ended' }];
    expect((await audit(harness, [campaign], [...asked, { ...stop, told }])).violations).toHaveLength(1);
    expect((await audit(harness, [campaign], [...asked, { ...stop, told: [] }])).violations).toHaveLength(1);
    const other = { ...stop, id: asked[1]?.id ?? '' };
    expect((await audit(harness, [campaign], [...asked, stop, other])).violations).toHaveLength(1);
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
