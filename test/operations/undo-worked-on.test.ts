import { Types, type mongo } from 'mongoose';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';
import { serveClaims } from '../../src/claims/index.ts';
import type { ConversationDoc } from '../../src/mongo/documents.ts';
import { MoveWriter } from '../../src/operations/move-writer.ts';
import type { Operation } from '../../src/operations/operation.ts';
import { preview } from '../../src/operations/preview.ts';
import { Harness } from '../support/harness.ts';
import { intercepted } from '../support/intercepted-stores.ts';
import { rawConversations } from '../support/raw.ts';
import { runToEnd } from '../support/run-operation.ts';
import type { AnyRequest } from '../support/any-request.ts';

describe('undoing moves of conversations that have changed since', () => {
  let harness: Harness;
  let campaignId: string;
  let ids: string[];

  beforeAll(async () => {
    harness = await Harness.open();
  });
  afterAll(() => harness.close());
  afterEach(() => vi.restoreAllMocks());
  beforeEach(async () => {
    campaignId = await harness.seedCampaign(3, { selfAssign: { enabled: true } });
    ids = await harness.seedConversations(
      campaignId,
      Array.from({ length: 8 }, (_, at) => ({ waitedMs: (8 - at) * 1_000, assigneeId: at < 4 ? 't1' : null })),
    );
  });

  const asked = () => ({ operationId: harness.newId('op'), campaignId });
  const run = async (request: AnyRequest, stores = harness.context.stores): Promise<Operation> => {
    const ended = await runToEnd(stores, request);
    if (!ended) throw new Error(`expected operation ${request.operationId} to get the campaign lock`);
    return ended;
  };
  const dealAll = (): Promise<Operation> =>
    run({ kind: 'reassign', ...asked(), from: 'everyone', to: { texterIds: ['t2'] }, status: 'any' });
  const undoOf = (undoes: string, includeWorkedOn = false) =>
    ({ kind: 'undo', ...asked(), undoes, includeWorkedOn }) as const;
  const skipsOf = ({ receipt }: Operation) =>
    Object.fromEntries(receipt?.skipped.map(({ reason, count }) => [reason, count]) ?? []);

  async function assignees(): Promise<(string | null | undefined)[]> {
    const docs = await rawConversations(harness, campaignId);
    return ids.map((id) => docs.get(id)?.assigneeId);
  }

  async function change(places: readonly number[], update: mongo.UpdateFilter<ConversationDoc>): Promise<void> {
    const _id = { $in: places.map((place) => new Types.ObjectId(ids[place])) };
    await harness.context.database.conversations.updateMany({ _id }, update);
  }

  /** Moves conversations as a program does that knows nothing of Baton's operations. */
  const moveOutside = (places: readonly number[], assigneeId: string): Promise<void> =>
    change(places, { $set: { assigneeId }, $inc: { assignmentVersion: 1 } });

  it('skips a conversation as assignee-changed that another program moved away and back', async () => {
    const { operationId } = await dealAll();
    await moveOutside([0, 4], 't3');
    await moveOutside([0, 4], 't2');
    const undone = await run(undoOf(operationId, true));
    expect(skipsOf(undone)).toEqual({ 'assignee-changed': 2 });
    expect(await assignees()).toEqual(['t2', 't1', 't1', 't1', 't2', null, null, null]);
  });

  it('skips a conversation as assignee-changed that has moved more often since than its history holds', async () => {
    const { operationId } = await dealAll();
    const move = { operationId: 'elsewhere', from: 't3', to: 't2', at: new Date(), by: null };
    const pushed = { $each: Array.from({ length: 26 }, () => move), $slice: -20 };
    await change([0, 4], { $inc: { assignmentVersion: 26 }, $push: { history: pushed } });
    const undone = await run(undoOf(operationId));
    expect(skipsOf(undone)).toEqual({ 'assignee-changed': 2 });
    expect(undone.receipt).toMatchObject({ moved: 6 });
  });

  it('skips a conversation as worked-on after the texter wrote, the contact answered, or the status changed', async () => {
    const { operationId } = await dealAll();
    await change([0, 1], { $set: { lastOutboundAt: new Date() } });
    await change([1, 4], { $set: { lastInboundAt: new Date() } });
    await change([5], { $set: { status: 'needs-reply' } });
    const shown = await preview(harness.context.stores, undoOf(operationId));
    expect(shown).toMatchObject({ moved: 4, skipped: [{ reason: 'worked-on', count: 4 }] });
    const undone = await run(undoOf(operationId));
    expect(undone.receipt).toMatchObject({ moved: 4, skipped: [{ reason: 'worked-on', count: 4 }] });
    expect(await assignees()).toEqual(['t2', 't2', 't1', 't1', 't2', 't2', null, null]);
  });

  it('moves back conversations that were worked on when the request includes them', async () => {
    const before = await assignees();
    const { operationId } = await dealAll();
    await change([0, 4], { $set: { lastOutboundAt: new Date(), lastInboundAt: new Date(), status: 'needs-reply' } });
    expect(await preview(harness.context.stores, undoOf(operationId, true))).toMatchObject({ moved: 8, skipped: [] });
    expect((await run(undoOf(operationId, true))).receipt).toMatchObject({ moved: 8, skipped: [] });
    expect(await assignees()).toEqual(before);
  });

  it('moves a conversation back whose values are those of the move, whatever other programs did in between', async () => {
    const { operationId } = await dealAll();
    await change([0], { $set: { status: 'closed' } });
    await change([0], { $set: { status: 'not-started', waitingSince: new Date() } });
    expect((await run(undoOf(operationId))).receipt).toMatchObject({ moved: 8, skipped: [] });
  });

  it('compares with the values at the move, when a message had come before the move was planned', async () => {
    await change([0, 4], { $set: { lastInboundAt: new Date(0), lastOutboundAt: new Date(1), status: 'closed' } });
    await change([1], { $unset: { lastInboundAt: '', lastOutboundAt: '' } });
    const { operationId } = await dealAll();
    expect((await run(undoOf(operationId))).receipt).toMatchObject({ moved: 8, skipped: [] });
  });

  it('skips a conversation of a claim as worked-on after the texter wrote', async () => {
    const request = { kind: 'self-assign', ...asked(), texterId: 't3', count: 3 } as const;
    await serveClaims(harness.context.stores.claims, campaignId, [{ request, requestHash: 'h', sendId: 's' }]);
    await change([4], { $set: { lastOutboundAt: new Date(), status: 'awaiting-contact' } });
    const undone = await run(undoOf(request.operationId));
    expect(undone.receipt).toMatchObject({ moved: 2, skipped: [{ reason: 'worked-on', count: 1 }] });
  });

  it('skips a single conversation as worked-on after the contact wrote', async () => {
    const one = { kind: 'reassign-one', ...asked(), conversationId: ids[0] ?? '', to: { texterIds: ['t3'] } } as const;
    await run({ ...one, to: { texterIds: ['t3'] } });
    await change([0], { $set: { lastInboundAt: new Date() } });
    expect(skipsOf(await run(undoOf(one.operationId)))).toEqual({ 'worked-on': 1 });
  });

  it('skips a conversation as worked-on when a message arrives after the undo has planned it', async () => {
    const { operationId } = await dealAll();
    const messages = intercepted(harness.context.stores, async (_number, name, call) => {
      if (name === 'batches.apply' || name === 'operations.endAtOnce')
        await change([0], { $set: { lastInboundAt: new Date() } });
      return call();
    });
    expect(skipsOf(await run(undoOf(operationId), messages))).toEqual({ 'worked-on': 1 });
  });

  it('skips a conversation as worked-on when a message arrives between the check and the write', async () => {
    const { operationId } = await dealAll();
    // An undo checks its conversations when one of them was worked on.
    await change([1], { $set: { lastInboundAt: new Date() } });
    let wasWritten = false;
    const find = Reflect.get(MoveWriter.prototype, 'find');
    vi.spyOn(MoveWriter.prototype, 'find').mockImplementation(async function (this: MoveWriter, ...args) {
      const found = await find.apply(this, args);
      if (!wasWritten) await change([0], { $set: { lastInboundAt: new Date() } });
      wasWritten = true;
      return found;
    });
    const undone = await run(undoOf(operationId));
    expect(wasWritten).toBe(true);
    expect(skipsOf(undone)).toEqual({ 'worked-on': 2 });
    expect((await assignees()).slice(0, 2)).toEqual(['t2', 't2']);
  });

  it('reads conversations only after the first one that was worked on', async () => {
    const first = await dealAll();
    const [found, written] = (['find', 'write'] as const).map((name) => vi.spyOn(MoveWriter.prototype, name));
    await run(undoOf(first.operationId));
    expect([found?.mock.calls.length, written?.mock.calls.length]).toEqual([0, 2]);
    const second = await dealAll();
    await change([0, 4, 7], { $set: { lastInboundAt: new Date() } });
    vi.clearAllMocks();
    await runToEnd(harness.context.stores, undoOf(second.operationId), { short: false, batchesInFlightMax: 1 });
    expect([found?.mock.calls.length, written?.mock.calls.length]).toEqual([2, 3]);
  });

  it('counts a conversation as worked-on when its move recorded nothing to compare with', async () => {
    const before = await assignees();
    const { operationId } = await dealAll();
    await change([0, 4], { $unset: { atLastMove: '' } });
    expect(skipsOf(await run(undoOf(operationId)))).toEqual({ 'worked-on': 2 });
    expect((await run(undoOf(operationId, true))).receipt).toMatchObject({ moved: 2 });
    expect(await assignees()).toEqual(before);
  });

  it('refuses the id of an undo for one that also includes conversations that were worked on', async () => {
    const { operationId } = await dealAll();
    const request = undoOf(operationId);
    await run(request);
    await expect(run({ ...request, includeWorkedOn: true })).rejects.toMatchObject({ code: 'operation-conflict' });
  });

  it('can be undone like any other operation, and then compares with its own moves', async () => {
    const { operationId } = await dealAll();
    await change([0], { $set: { lastOutboundAt: new Date() } });
    const first = await run(undoOf(operationId, true));
    await change([4], { $set: { lastInboundAt: new Date() } });
    expect((await run(undoOf(first.operationId))).receipt).toMatchObject({
      moved: 7,
      skipped: [{ reason: 'worked-on', count: 1 }],
    });
  });
});
