import { serveClaims } from '../../src/claims/index.ts';
import { Types } from 'mongoose';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { preview } from '../../src/operations/preview.ts';
import type { Operation } from '../../src/operations/operation.ts';
import type { UndoRequest } from '../../src/operations/contract.ts';
import type { ConversationDoc } from '../../src/mongo/documents.ts';
import { Harness } from '../support/harness.ts';
import { intercepted } from '../support/intercepted-stores.ts';
import { oneSlice, runToEnd } from '../support/run-operation.ts';
import { rawBatches, rawConversations } from '../support/raw.ts';
import type { AnyRequest } from '../support/any-request.ts';

describe('undoing an operation', () => {
  let harness: Harness;
  let campaignId: string;
  let ids: string[];

  beforeAll(async () => {
    harness = await Harness.open();
  });
  afterAll(() => harness.close());
  beforeEach(async () => {
    campaignId = await harness.seedCampaign(4, { selfAssign: { enabled: true } });
    ids = await harness.seedConversations(
      campaignId,
      Array.from({ length: 20 }, (_, at) => ({ waitedMs: (20 - at) * 1_000, assigneeId: [null, 't1', 't2'][at % 3]! })),
    );
  });

  const asked = () => ({ operationId: harness.newId('op'), campaignId });
  const run = async (request: AnyRequest): Promise<Operation> => {
    const ended = await runToEnd(harness.context.stores, request);
    if (!ended) throw new Error(`expected operation ${request.operationId} to get the campaign lock`);
    return ended;
  };
  const dealAll = (more: object = {}): Promise<Operation> =>
    run({ kind: 'reassign', ...asked(), from: 'everyone', to: { texterIds: ['t3', 't4'] }, status: 'any', ...more });
  const undo = (undoes: string): Promise<Operation> => run({ kind: 'undo', ...asked(), undoes });
  const codeOf = async (undoes: string): Promise<unknown> => (await undo(undoes)).error?.code;

  const assignees = async (): Promise<(string | null | undefined)[]> => {
    const docs = await rawConversations(harness, campaignId);
    return ids.map((id) => docs.get(id)?.assigneeId);
  };

  async function change(places: readonly number[], $set: Partial<ConversationDoc>): Promise<void> {
    const _id = { $in: places.map((place) => new Types.ObjectId(ids[place])) };
    await harness.context.database.conversations.updateMany({ _id }, { $set });
  }

  it('moves each conversation back to its previous assignee, and counts it in the receipt', async () => {
    const before = await assignees();
    const dealt = await dealAll();
    const undone = await undo(dealt.operationId);
    expect(await assignees()).toEqual(before);
    expect(undone).toMatchObject({
      state: 'done',
      receipt: { selected: 20, moved: 20, asked: null, shortBecause: null, skipped: [] },
    });
    const counts = (rows: readonly object[] = []): string[] => rows.map((row) => JSON.stringify(row)).sort();
    expect(counts(undone.receipt?.bySource)).toEqual(counts(dealt.receipt?.byTarget));
    expect(counts(undone.receipt?.byTarget)).toEqual(counts(dealt.receipt?.bySource));
    const docs = [...(await rawConversations(harness, campaignId)).values()];
    expect(docs.map(({ assignmentVersion, history }) => [assignmentVersion, history.length])).toEqual(
      docs.map(() => [2, 2]),
    );
  });

  it('moves back only conversations that were not changed since, and lists the reasons for the others', async () => {
    const before = await assignees();
    const { operationId } = await dealAll();
    const one = { kind: 'reassign-one', ...asked(), conversationId: ids[3] ?? '' } as const;
    await run({ ...one, to: { texterIds: ['t2'] } });
    const back = { kind: 'reassign-one', ...asked(), conversationId: ids[3] ?? '' } as const;
    await run({ ...back, to: { texterIds: ['t3'] } });
    await change([4], { assigneeId: 't2' });
    await change([5, 6, 7], { optedOut: true, status: 'closed' });
    await change([8], { status: 'needs-reply' });
    await harness.context.database.conversations.deleteOne({ _id: new Types.ObjectId(ids[9]) });
    await harness.pause(campaignId, 't1');
    const { receipt } = await undo(operationId);
    const docs = await assignees();
    const kept = ids.flatMap((_, place) => (docs[place] === before[place] ? [place] : []));
    // 3 and 4 were moved, 5 and 7 opted out, 6 and 8 were worked on, 9 is gone, and 1, 10, 13, 16 and 19 belong to t1, who is
    // paused. An opt-out does not keep 6 from going to the pool, but its status does.
    expect(kept).toEqual([0, 2, 11, 12, 14, 15, 17, 18]);
    expect(receipt).toMatchObject({ selected: 20, moved: 8, shortBecause: null });
    expect(new Map(receipt?.skipped.map(({ reason, count }) => [reason, count]))).toEqual(
      new Map([
        ['assignee-changed', 2],
        ['opted-out', 2],
        ['gone', 1],
        ['target-inactive', 5],
        ['worked-on', 2],
      ]),
    );
    expect(new Map(receipt?.byStatus.map(({ status, count }) => [status, count]))).toEqual(
      new Map([['not-started', 8]]),
    );
  });

  it('moves nothing the second time, and the undo itself can be undone', async () => {
    const before = await assignees();
    const { operationId } = await dealAll();
    const dealt = await assignees();
    const first = await undo(operationId);
    const twice = await undo(operationId);
    expect(twice.receipt).toMatchObject({ moved: 0, skipped: [{ reason: 'assignee-changed', count: 20 }] });
    const redo = await undo(first.operationId);
    expect(redo.receipt).toMatchObject({ moved: 20, skipped: [] });
    expect(await assignees()).toEqual(dealt);
    await undo(redo.operationId);
    expect(await assignees()).toEqual(before);
  });

  it('moves the conversations of a claim back to the pool in batches', async () => {
    const request = { kind: 'self-assign', ...asked(), texterId: 't4', count: 7 } as const;
    const { stores } = harness.context;
    await serveClaims(stores.claims, campaignId, [{ request, requestHash: 'h', sendId: 's' }]);
    const { receipt } = await undo(request.operationId);
    expect(receipt).toMatchObject({ selected: 7, moved: 7, byTarget: [{ assigneeId: null, count: 7 }] });
    expect(await harness.loads(campaignId)).toEqual({ pool: 7, t1: 7, t2: 6 });
  });

  it('moves a single conversation back', async () => {
    const one = { kind: 'unassign-one', ...asked(), conversationId: ids[1] ?? '' } as const;
    await run(one);
    expect((await undo(one.operationId)).receipt).toMatchObject({
      moved: 1,
      bySource: [{ assigneeId: null, count: 1 }],
    });
    expect((await assignees())[1]).toBe('t1');
  });

  it('moves back what a halted operation had moved', async () => {
    const before = await assignees();
    const request = {
      kind: 'reassign',
      ...asked(),
      from: 'everyone',
      to: { texterIds: ['t4'] },
      status: 'any',
    } as const;
    await oneSlice(harness.context.stores, request);
    await harness.pause(campaignId, 't4');
    const halted = await run(request);
    expect(halted).toMatchObject({ state: 'failed', error: { code: 'targets-lost' } });
    const moved = halted.receipt?.moved ?? 0;
    expect(moved).toBeGreaterThan(0);
    expect((await undo(halted.operationId)).receipt).toMatchObject({ moved, skipped: [] });
    expect(await assignees()).toEqual(before);
    const numbers = (await rawBatches(harness, request.operationId)).map(({ number }) => number);
    expect(numbers).toEqual(numbers.map((_, at) => at + 1));
  });

  it('moves nothing when the undone operation moved nothing', async () => {
    const refused = await run({ kind: 'unassign', ...asked(), from: 'everyone', status: 'any' });
    expect(refused.state).toBe('failed');
    expect(await undo(refused.operationId)).toMatchObject({ state: 'done', receipt: { selected: 0, moved: 0 } });
  });

  it('is refused when the operation does not exist, has not ended, or belongs to another campaign', async () => {
    const request = { kind: 'reassign-one', ...asked(), conversationId: ids[0] ?? '' } as const;
    expect(await codeOf('nothing')).toBe('unknown-operation');
    const elsewhere = { kind: 'undo', ...asked(), campaignId: await harness.seedCampaign(1) } as const;
    await run({ ...request, to: { texterIds: ['t1'] } });
    expect((await run({ ...elsewhere, undoes: request.operationId })).error?.code).toBe('unknown-operation');
    const running = { kind: 'reassign', ...asked(), from: 'pool', to: 'everyone', status: 'any' } as const;
    await oneSlice(harness.context.stores, running);
    expect(await codeOf(running.operationId)).toBe('operation-running');
    const itself = asked();
    expect((await run({ kind: 'undo', ...itself, undoes: itself.operationId })).error?.code).toBe('operation-running');
  });

  it('is refused, or stops with an error, when the undone operation is being deleted', async () => {
    const { stores, database } = harness.context;
    const forget = async ({ operationId }: Operation): Promise<void> => {
      await database.operations.updateOne({ _id: operationId }, { $set: { expiring: true } });
      await database.batches.deleteMany({ operationId, number: { $lt: 5 } });
    };
    const before = await dealAll();
    await forget(before);
    expect(await codeOf(before.operationId)).toBe('unknown-operation');
    const meanwhile = await dealAll({ to: { texterIds: ['t1', 't2'] } });
    const request = { kind: 'undo', ...asked(), undoes: meanwhile.operationId } as const;
    const halfway = intercepted(stores, async (_number, name, call) => {
      if (name === 'batches.readAfter') await forget(meanwhile);
      return call();
    });
    await expect(runToEnd(halfway, request)).rejects.toThrow('has been deleted from the database');
    await expect(runToEnd(stores, request)).rejects.toThrow('has been deleted from the database');
  });

  it('moves conversations back to the pool on a closed campaign, but assigns none to texters', async () => {
    const fromPool = await dealAll({ from: 'pool' });
    const fromTexters = await dealAll({ from: { texterIds: ['t1', 't2'] } });
    await harness.context.database.campaigns.updateOne({ _id: campaignId }, { $set: { closed: true } });
    expect(await codeOf(fromTexters.operationId)).toBe('campaign-closed');
    expect((await undo(fromPool.operationId)).receipt).toMatchObject({ moved: 7 });
  });

  it('makes the moves that its preview showed', async () => {
    const { operationId } = await dealAll();
    await change([1, 2], { optedOut: true });
    await change([3, 4], { status: 'closed' });
    const request: UndoRequest = { kind: 'undo', ...asked(), undoes: operationId, includeWorkedOn: false };
    const before = await rawConversations(harness, campaignId);
    const { moved, selected, skipped, assignees } = await preview(harness.context.stores, request);
    expect(await rawConversations(harness, campaignId)).toEqual(before);
    const { receipt } = await run({ ...request });
    expect({ moved, selected, skipped }).toEqual({
      moved: receipt?.moved,
      selected: receipt?.selected,
      skipped: receipt?.skipped,
    });
    const loads = await harness.loads(campaignId);
    expect(assignees.map(({ after }) => after)).toEqual(
      assignees.map(({ assigneeId }) => loads[assigneeId ?? 'pool'] ?? 0),
    );
  });
});
