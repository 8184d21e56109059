import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Database } from '../../src/mongo/database.ts';
import { audit } from '../support/audit/audit.ts';
import type { SeededCampaign, SentRequest } from '../support/audit/records.ts';
import { Harness } from '../support/harness.ts';
import { pauseReconcile } from '../support/raw-queue.ts';
import { cancelWithoutQueue, oneSlice } from '../support/run-operation.ts';

type Damage = (database: Database) => Promise<unknown>;

const ofClaim = { 'request.kind': 'self-assign' };
const ofOperation = { 'request.kind': 'reassign' as const };

/** Changes of the database that leave it inconsistent. */
const DAMAGES: Record<string, Damage> = {
  'an assignee who is not on the campaign': (database) =>
    database.conversations.updateOne({ assigneeId: 't1' }, { $set: { assigneeId: 'unknown' } }),
  'an assignee to whom no move leads': (database) =>
    database.conversations.updateOne({ assigneeId: 't1' }, { $set: { assigneeId: 't2' } }),
  'a version that counts a move too many': (database) =>
    database.conversations.updateOne({ assigneeId: 't1' }, { $inc: { assignmentVersion: 1 } }),
  'a move that is missing from a history': (database) =>
    database.conversations.updateOne({ assigneeId: 't1' }, { $pop: { history: 1 } }),
  'a move that its operation did not store': (database) =>
    database.conversations.updateOne(
      { assigneeId: 't1' },
      { $set: { lastOperationId: 'other', 'history.0.operationId': 'other' } },
    ),
  'a missing conversation': (database) => database.conversations.deleteOne({ assigneeId: 't1' }),
  'a receipt that differs from its batches': (database) =>
    database.operations.updateOne(ofOperation, { $inc: { 'receipt.moved': 1, 'receipt.selected': 1 } }),
  'an operation that has not ended': (database) =>
    database.operations.updateOne(ofOperation, { $set: { state: 'running' } }),
  'a missing operation': (database) => database.operations.deleteOne(ofOperation),
  'an operation without a request': async (database) => {
    const known = await database.operations.findOne(ofOperation);
    if (known) await database.operations.insertOne({ ...known, _id: 'unrequested' });
  },
  'a missing batch': (database) => database.batches.deleteOne({ number: 1 }),
  'a batch that is still planned': (database) =>
    database.batches.updateOne({ number: 1 }, { $set: { state: 'planned' } }),
  'a dropped batch of an operation that is done': (database) =>
    database.batches.updateOne({ number: 1 }, { $set: { state: 'dropped' } }),
  'a conversation that is missing from the list of a claim': (database) =>
    database.claims.updateOne(ofClaim, { $pop: { granted: 1 } }),
  'a claim that is still waiting': (database) =>
    database.claims.updateOne(ofClaim, { $set: { waiting: { sequence: 1, until: new Date() } } }),
};

const NONE = { undos: 0, cancelled: 0, reopened: 0 };
const ofUndo = { 'request.kind': 'undo' as const };
const ofSingle = { 'request.kind': 'reassign-one' as const };
const ofCancelled = { state: 'cancelled' as const };

/** Inconsistent changes of an undo and of a cancelled operation. */
const UNDO_AND_CANCEL_DAMAGES: Record<string, Damage> = {
  'an undo that names another operation': async (database) => {
    const single = await database.operations.findOne(ofSingle);
    await database.operations.updateOne(ofUndo, { $set: { 'request.undoes': single?._id } as never });
  },
  'an undo of an operation that does not exist': (database) =>
    database.operations.updateOne(ofUndo, { $set: { 'request.undoes': 'unknown' } as never }),
  'a skip with a wrong reason': (database) =>
    database.batches.updateOne({ 'skips.count': 1 }, { $set: { 'skips.0.reason': 'opted-out' } }),
  'a skipped conversation that no other operation moved': async (database) => {
    const single = await database.operations.findOne(ofSingle);
    await database.conversations.updateOne({ lastOperationId: single?._id ?? '' }, { $pop: { history: 1 } });
  },
  'a number of left conversations that is above the limit of the request': (database) =>
    database.operations.updateOne(ofCancelled, { $inc: { 'receipt.left': 1 } }),
  'a cancelled operation without a cancellation': (database) =>
    database.operations.updateOne(ofCancelled, { $set: { cancellation: null } }),
  'a cancellation of an operation that is done': (database) =>
    database.operations.updateOne(ofCancelled, { $set: { state: 'done' } }),
  'a number of left conversations without a cancellation': (database) =>
    database.operations.updateOne(ofUndo, { $set: { 'receipt.left': 1 } }),
  'a number of left conversations of an operation with a count': (database) =>
    database.operations.updateOne({ ...ofOperation, state: 'done' }, { $set: { 'receipt.left': 1 } }),
  'a cancelled operation that does not say how many conversations are left': (database) =>
    database.operations.updateOne(ofCancelled, { $set: { 'receipt.left': null } }),
};

describe('the audit', () => {
  let harness: Harness;
  beforeAll(async () => {
    harness = await Harness.open({ batchConversationsMax: 5 });
    await pauseReconcile(harness);
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

  /** Reassigns 12 conversations of the pool to two texters. Then the first texter claims two. */
  async function reassignAndClaim(): Promise<{ campaign: SeededCampaign; sent: SentRequest[] }> {
    const campaign = await seed();
    const { campaignId } = campaign;
    const { producer } = harness;
    const [operationId, claimId] = [harness.newId('op'), harness.newId('cl')];
    const all = { operationId, campaignId, from: 'pool', to: 'everyone', status: 'any', count: 12 } as const;
    const dealt = await (await producer.reassign(all)).result();
    const claimed = await (
      await producer.selfAssign({ operationId: claimId, campaignId, texterId: 't1', count: 2 })
    ).result();
    const sent = [
      { operationId, campaignId, answers: [dealt] },
      { operationId: claimId, campaignId, answers: [claimed] },
    ];
    return { campaign, sent };
  }

  /** Reassigns 12 conversations, moves one of them, undoes the reassign, and cancels a second one after its first batch. */
  async function undoAndCancel(): Promise<{ campaign: SeededCampaign; sent: SentRequest[] }> {
    const campaign = await seed();
    const { campaignId } = campaign;
    const { producer, context } = harness;
    const [first, single, undo, second] = [0, 1, 2, 3].map(() => harness.newId('op')) as [
      string,
      string,
      string,
      string,
    ];
    const all = { campaignId, from: 'pool', to: { texterIds: ['t1'] }, status: 'any' } as const;
    const dealt = await (await producer.reassign({ operationId: first, ...all, count: 12 })).result();
    const [conversationId = ''] = campaign.assignees.keys();
    const one = { operationId: single, campaignId, conversationId, to: { texterIds: ['t2'] as [string] } };
    const moved = await (await producer.reassignOne(one)).result();
    const undone = await (await producer.undo({ operationId: undo, campaignId, undoes: first })).result();
    const cancelled = { kind: 'reassign', operationId: second, ...all, count: 9 } as const;
    await oneSlice(context.stores, cancelled);
    const { receipt } = await cancelWithoutQueue(context.stores, cancelled);
    if (!receipt) throw new Error('the cancelled operation has no receipt');
    const answers = { [first]: dealt, [single]: moved, [undo]: undone, [second]: { receipt } };
    const sent = Object.entries(answers).map(([operationId, answer]) => ({
      operationId,
      campaignId,
      answers: [answer],
    }));
    const cancel = { operationId: second, campaignId, answers: [{ receipt }], cancels: true } as const;
    return { campaign, sent: [...sent, cancel] };
  }

  it('finds no violation after a reassign and a claim', async () => {
    const { campaign, sent } = await reassignAndClaim();
    expect(await audit(harness, [campaign], sent)).toEqual({
      violations: [],
      checked: { ...NONE, conversations: 20, moves: 14, operations: 1, claims: 1, batches: 4 },
    });
  });

  it.each(Object.entries(DAMAGES))('finds %s', async (_what, damage) => {
    const { campaign, sent } = await reassignAndClaim();
    await damage(harness.context.database);
    expect((await audit(harness, [campaign], sent)).violations).not.toEqual([]);
  });

  it('finds no violation after an undo and a cancel', async () => {
    const { campaign, sent } = await undoAndCancel();
    const { violations, checked } = await audit(harness, [campaign], sent);
    expect(violations).toEqual([]);
    expect(checked).toMatchObject({ conversations: 20, operations: 4, claims: 0, undos: 1, cancelled: 1, reopened: 0 });
  });

  it('accepts that an operation on all conversations left some that came while it ended', async () => {
    const { campaign, sent } = await reassignAndClaim();
    const { campaignId } = campaign;
    const operationId = harness.newId('op');
    const all = { operationId, campaignId, from: 'pool', to: 'everyone', status: 'any' } as const;
    const dealt = await (await harness.producer.reassign(all)).result();
    await harness.context.database.operations.updateOne({ _id: operationId }, { $set: { 'receipt.left': 4 } });
    const answers = [{ ...dealt, receipt: { ...dealt.receipt, left: 4 } }];
    const { violations } = await audit(harness, [campaign], [...sent, { operationId, campaignId, answers }]);
    expect(violations).toEqual([]);
  });

  it.each(Object.entries(UNDO_AND_CANCEL_DAMAGES))('finds %s', async (_what, damage) => {
    const { campaign, sent } = await undoAndCancel();
    await damage(harness.context.database);
    expect((await audit(harness, [campaign], sent)).violations).not.toEqual([]);
  });

  it('finds a cancellation without a request, and a cancel with a wrong answer or without an answer', async () => {
    const { campaign, sent } = await undoAndCancel();
    const [cancel] = sent.splice(4) as [SentRequest];
    expect((await audit(harness, [campaign], sent)).violations).toHaveLength(1);
    const answers = [{ code: 'operation-ended' }];
    expect((await audit(harness, [campaign], [...sent, { ...cancel, answers }])).violations).toHaveLength(1);
    expect((await audit(harness, [campaign], [...sent, { ...cancel, answers: [] }])).violations).toHaveLength(1);
    const other = { ...cancel, operationId: sent[1]?.operationId ?? '' };
    expect((await audit(harness, [campaign], [...sent, cancel, other])).violations).toHaveLength(1);
  });

  it('finds an operation with a wrong answer, without an answer, and with two answers that say "created"', async () => {
    const { campaign, sent } = await reassignAndClaim();
    const [operation, claim] = sent as [SentRequest, SentRequest];
    const answers = [...operation.answers, ...operation.answers];
    expect((await audit(harness, [campaign], [{ ...operation, answers }, claim])).violations).toHaveLength(1);
    expect((await audit(harness, [campaign], [{ ...operation, answers: [] }, claim])).violations).toHaveLength(1);
    const other = { ...operation, answers: [{ code: 'no-targets' }] };
    expect((await audit(harness, [campaign], [other, claim])).violations).toHaveLength(1);
  });
});
