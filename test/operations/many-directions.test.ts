import { Types } from 'mongoose';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { statementsOf } from '../../src/operations/move-statements.ts';
import type { Move } from '../../src/operations/moves.ts';
import { Harness } from '../support/harness.ts';
import { runBeforeCall, callsOf } from '../support/intercepted-stores.ts';
import { rawConversations } from '../support/raw.ts';
import { runToEnd } from '../support/run-operation.ts';
import type { AnyRequest } from '../support/any-request.ts';

const newId = (): string => new Types.ObjectId().toHexString();
const moveOf = (from: string | null, to: string | null, count: number): Move => {
  return { from, to, status: 'not-started', conversationIds: Array.from({ length: count }, newId) };
};

describe('the statements of moves between many assignees', () => {
  it('are one for each pair with many conversations, and one for a hundred conversations of the others', () => {
    const many = moveOf('t1', 't2', 40);
    const few = Array.from({ length: 150 }, (_, at) => moveOf(`t${at}`, `u${at}`, 1));
    const home = moveOf('t1', null, 3);
    const { alike, mixed } = statementsOf([many, ...few, home]);
    expect(alike).toEqual([[many]]);
    expect(mixed.map(({ length }) => length)).toEqual([100, 50, 3]);
    expect(mixed.flat().map(({ id }) => id.toHexString())).toEqual(
      [...few, home].flatMap((move) => move.conversationIds),
    );
  });

  it('are a plain one for a single pair', () => {
    const move = moveOf(null, 't1', 1);
    expect(statementsOf([move])).toEqual({ alike: [[move]], mixed: [] });
  });
});

describe('an operation between many assignees', () => {
  let harness: Harness;
  beforeAll(async () => {
    harness = await Harness.open();
  });
  afterAll(() => harness.close());

  const TEXTERS = 12;
  const LARGE = { batchConversationsMax: 100, short: false } as const;

  async function campaign(): Promise<{ request: AnyRequest; ids: string[] }> {
    const campaignId = await harness.seedCampaign(TEXTERS);
    const assignees = [null, 't1', 't2', 't3', 't4'];
    const seeded = Array.from({ length: 60 }, (_, at) => ({
      assigneeId: assignees[at % 5] ?? null,
      waitedMs: 60_000 - at,
    }));
    const ids = await harness.seedConversations(campaignId, seeded);
    const everyone = { from: 'everyone', to: 'everyone', status: 'any' } as const;
    return { request: { kind: 'reassign', operationId: harness.newId('op'), campaignId, ...everyone }, ids };
  }

  it('records the true assignees of each move, and its undo takes each conversation back', async () => {
    const { request } = await campaign();
    const before = await rawConversations(harness, request.campaignId);
    expect((await runToEnd(harness.context.stores, request, LARGE))?.receipt).toMatchObject({ moved: 40 });
    const after = await rawConversations(harness, request.campaignId);
    const moved = [...after].filter(([, { lastOperationId }]) => lastOperationId === request.operationId);
    expect(moved).toHaveLength(40);
    for (const [id, { assigneeId, assignmentVersion, history }] of moved) {
      const last = history.at(-1);
      expect(last).toMatchObject({
        operationId: request.operationId,
        from: before.get(id)?.assigneeId,
        to: assigneeId,
      });
      expect(Object.keys(last ?? {})).toEqual(['operationId', 'from', 'to', 'at', 'by']);
      expect(assignmentVersion).toBe(1);
    }
    const { operationId: undoes, campaignId } = request;
    const undo = { kind: 'undo', operationId: harness.newId('op'), campaignId, undoes } as const;
    expect((await runToEnd(harness.context.stores, undo, LARGE))?.receipt).toMatchObject({ moved: 40, skipped: [] });
    for (const [id, { assigneeId }] of await rawConversations(harness, campaignId)) {
      expect(assigneeId).toBe(before.get(id)?.assigneeId);
    }
  });

  it('skips two conversations that another program exchanged between their texters before the write', async () => {
    const { stores, database } = harness.context;
    const { request } = await campaign();
    const { campaignId } = request;
    const calls = await callsOf(stores, async (watched) => {
      const { request: other } = await campaign();
      await runToEnd(watched, other, LARGE);
    });
    let exchanged: string[] = [];
    const exchange = async (): Promise<void> => {
      const [batch] = await database.batches.find({ campaignId, state: 'planned' }).toArray();
      const moves = (batch?.moves ?? []).filter(({ from }) => from !== null);
      const one = moves[0];
      const two = moves.find(({ from }) => from !== one?.from);
      const pair = [one?.conversationIds[0], two?.conversationIds[0]];
      await database.conversations.updateOne(
        { _id: pair[0] ?? new Types.ObjectId() },
        { $set: { assigneeId: two?.from ?? '' } },
      );
      await database.conversations.updateOne(
        { _id: pair[1] ?? new Types.ObjectId() },
        { $set: { assigneeId: one?.from ?? '' } },
      );
      exchanged = pair.map(String);
    };
    const interrupted = runBeforeCall(stores, calls.indexOf('batches.apply') + 1, exchange);
    const ended = await runToEnd(interrupted, request, LARGE);
    expect(exchanged).toHaveLength(2);
    expect(ended?.receipt?.skipped).toEqual([{ reason: 'assignee-changed', count: 2 }]);
    const after = await rawConversations(harness, campaignId);
    for (const id of exchanged) expect(after.get(id)?.history).toEqual([]);
  });
});
