import { Types } from 'mongoose';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { SkipReason } from '../../src/domain/receipt.ts';
import type { ConversationDoc } from '../../src/mongo/documents.ts';
import { Harness } from '../support/harness.ts';
import { intercepted } from '../support/intercepted-stores.ts';
import { runToEnd } from '../support/run-operation.ts';
import { rawConversations } from '../support/raw.ts';
import type { AnyRequest } from '../support/any-request.ts';

/** The store methods that write moves: of a batch, of a whole operation, and of a single conversation. */
const WRITES = new Set(['batches.apply', 'operations.endAtOnce', 'operations.moveNow']);

describe('a conversation that changes between the plan and the write of its batch', () => {
  let harness: Harness;
  let campaignId: string;
  let ids: string[];

  beforeAll(async () => {
    harness = await Harness.open();
  });
  afterAll(() => harness.close());
  beforeEach(async () => {
    campaignId = await harness.seedCampaign(3);
    const waiting = Array.from({ length: 20 }, (_, at) => ({ waitedMs: (20 - at) * 1_000 }));
    ids = await harness.seedConversations(campaignId, waiting);
  });

  const reassign = (more: object = {}): AnyRequest => ({
    kind: 'reassign',
    operationId: harness.newId('op'),
    campaignId,
    from: 'pool',
    to: { texterIds: ['t1', 't2'] },
    status: 'not-started',
    ...more,
  });

  async function change(places: readonly number[], $set: Partial<ConversationDoc>): Promise<void> {
    const _id = { $in: places.map((place) => new Types.ObjectId(ids[place])) };
    await harness.context.database.conversations.updateMany({ _id }, { $set });
  }

  /** Runs an operation in batches of 4. Calls `meanwhile` after the first batch is planned and before it is written. */
  async function runWhile(
    request: AnyRequest,
    meanwhile: () => Promise<unknown>,
    how: { short?: boolean } = {},
  ): ReturnType<typeof runToEnd> {
    let isFirst = true;
    const stores = intercepted(harness.context.stores, async (_number, name, call) => {
      if (WRITES.has(name) && isFirst) {
        isFirst = false;
        await meanwhile();
      }
      return call();
    });
    return runToEnd(stores, request, how);
  }

  async function movedPlaces(operationId: string): Promise<number[]> {
    const docs = await rawConversations(harness, campaignId);
    return ids.flatMap((id, place) => (docs.get(id)?.lastOperationId === operationId ? [place] : []));
  }

  const remove = (places: readonly number[]): Promise<unknown> => {
    const _id = { $in: places.map((place) => new Types.ObjectId(ids[place])) };
    return harness.context.database.conversations.deleteMany({ _id });
  };

  const CHANGES: [SkipReason, string, () => Promise<unknown>][] = [
    ['assignee-changed', 'another texter takes two of them', () => change([1, 2], { assigneeId: 't3' })],
    ['already-there', 'the target takes two of them itself', () => change([0, 2], { assigneeId: 't1' })],
    [
      'status-changed',
      'two of them change to a status that was not requested',
      () => change([1, 2], { status: 'closed' }),
    ],
    ['opted-out', 'the contacts of two opt out', () => change([1, 2], { optedOut: true })],
    ['gone', 'two of them are deleted', () => remove([1, 2])],
    ['gone', 'two of them go to another campaign', () => change([1, 2], { campaignId: 'elsewhere' })],
  ];

  it.each(CHANGES)(
    'is skipped as %s when %s, and the next in order replace them in an even split',
    async (reason, _what, act) => {
      const request = reassign({ count: 10 });
      const ended = await runWhile(request, act);
      expect(ended?.receipt).toMatchObject({
        selected: 12,
        moved: 10,
        shortBecause: null,
        skipped: [{ reason, count: 2 }],
      });
      const skippedPlaces = reason === 'already-there' ? [0, 2] : [1, 2];
      const firstTwelve = Array.from({ length: 12 }, (_, place) => place);
      expect(await movedPlaces(request.operationId)).toEqual(
        firstTwelve.filter((place) => !skippedPlaces.includes(place)),
      );
      expect(ended?.receipt?.byTarget.map(({ count }) => count)).toEqual([5, 5]);
    },
  );

  it.each([true, false])(
    'is replaced also when it was in the last batch (one batch for each slice: %s)',
    async (short) => {
      const request = reassign({ count: 4 });
      const ended = await runWhile(request, () => change([1, 2], { optedOut: true }), { short });
      expect(ended?.receipt).toMatchObject({ selected: 6, moved: 4, shortBecause: null });
      expect(await movedPlaces(request.operationId)).toEqual([0, 3, 4, 5]);
    },
  );

  it('moves when its new status was requested as well', async () => {
    const request = reassign({ status: 'any' });
    const ended = await runWhile(request, () => change([1, 2], { status: 'closed' }));
    expect(ended?.receipt).toMatchObject({ selected: 20, moved: 20, skipped: [] });
  });

  it('goes to another target when its target was paused', async () => {
    const request = reassign({ count: 10 });
    const ended = await runWhile(request, () => harness.pause(campaignId, 't1'));
    expect(ended?.receipt).toMatchObject({ moved: 10, byTarget: [{ assigneeId: 't2', count: 10 }] });
    expect(ended?.receipt).toMatchObject({ selected: 10, skipped: [] });
  });

  it('does not move when all targets were paused, and the operation halts with targets-lost', async () => {
    const request = reassign({ to: { texterIds: ['t1'] } });
    const ended = await runWhile(request, () => harness.pause(campaignId, 't1'));
    expect(ended).toMatchObject({ state: 'failed', error: { code: 'targets-lost' } });
    expect(ended?.receipt).toMatchObject({ moved: 0, shortBecause: 'stopped' });
    expect(await movedPlaces(request.operationId)).toEqual([]);
  });

  it('does not raise the number of unassigned conversations above the confirmed one', async () => {
    await change([0, 1, 2, 3, 4, 5], { assigneeId: 't1' });
    const request: AnyRequest = {
      kind: 'unassign',
      operationId: harness.newId('op'),
      campaignId,
      from: { texterIds: ['t1'] },
      status: 'any',
      confirm: 6,
    };
    const ended = await runWhile(request, () => change([10, 11, 12], { assigneeId: 't1' }));
    expect(ended?.receipt).toMatchObject({ moved: 6 });
    expect(await movedPlaces(request.operationId)).toHaveLength(6);
  });

  const moveOne = (expected: { expectedAssigneeId?: null }): AnyRequest => ({
    kind: 'reassign-one',
    operationId: harness.newId('op'),
    campaignId,
    conversationId: ids[0] ?? '',
    to: { texterIds: ['t1'] },
    ...expected,
  });

  it('stays with its new assignee when a single move expected it in the pool', async () => {
    const request = moveOne({ expectedAssigneeId: null });
    const ended = await runWhile(request, () => change([0], { assigneeId: 't3' }));
    expect(ended?.receipt).toMatchObject({
      selected: 1,
      moved: 0,
      skipped: [{ reason: 'assignee-changed', count: 1 }],
    });
    expect(await movedPlaces(request.operationId)).toEqual([]);
  });

  it('moves away from its new assignee when a single move expected no assignee', async () => {
    const ended = await runWhile(moveOne({}), () => change([0], { assigneeId: 't3' }));
    expect(ended?.receipt).toMatchObject({ selected: 1, moved: 1, bySource: [{ assigneeId: 't3', count: 1 }] });
  });
});
