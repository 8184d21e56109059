import { expect } from 'vitest';
import type { BatchDoc, CampaignDoc, OperationDoc, TexterDoc } from '../../../src/mongo/documents.ts';
import type { Assignee } from '../../../src/domain/conversation.ts';
import type { Harness } from '../harness.ts';
import { groupBy, isClaim, storedMoves, sum, type CampaignRecords, type StoredMove } from '../audit/records.ts';
import { UndoAudit } from '../audit/undo-audit.ts';
import { idsOf, requestOf } from '../raw.ts';
import type { PastMoves } from './model.ts';

/** The assignee and the number of moves with which a conversation came into the campaign. */
export interface Origin {
  readonly assigneeId: Assignee;
  readonly moves: number;
  /** True when another program has moved the conversation away and back. */
  readonly isMovedOutside?: true;
}

/** The highest limits that the rules of a campaign ever had. */
export interface RuleMaxima {
  readonly batchMax: number;
  readonly openMax: number;
}

/** A campaign as the database stores it at one moment. */
export interface Snapshot extends CampaignRecords {
  readonly campaign: CampaignDoc | null;
  readonly texters: readonly TexterDoc[];
}

export async function snapshotOf(harness: Harness, campaignId: string): Promise<Snapshot> {
  const { database } = harness.context;
  return database.transaction(async (session) => {
    const sort = { _id: 1 } as const;
    const conversations = await database.conversations.find({ campaignId }, { session, sort }).toArray();
    const operations = await database.operations.find({ campaignId }, { session, sort }).toArray();
    const claims = (await database.claims.find({ campaignId }, { session, sort }).toArray()).filter(isClaim);
    const batches = await database.batches.find({ campaignId }, { session, sort }).toArray();
    return {
      campaign: await database.campaigns.findOne({ _id: campaignId }, { session }),
      texters: await database.texters.find({ campaignId }, { session }).toArray(),
      conversations: new Map(conversations.map((doc) => [doc._id.toHexString(), doc])),
      operations: operations.filter((doc) => !isClaim(doc)),
      claims,
      batches: groupBy(batches, ({ operationId }) => operationId),
      moves: storedMoves(batches, claims),
    };
  });
}

/** Checks everything that is true of any campaign while no operation runs. */
export function checkInvariants(snapshot: Snapshot, origins: ReadonlyMap<string, Origin>, maxima: RuleMaxima): void {
  checkAssignees(snapshot, origins);
  checkHistories(snapshot, origins);
  for (const operation of snapshot.operations) checkReceipt(operation, snapshot);
  const movedOutside = new Set([...origins].flatMap(([id, { isMovedOutside }]) => (isMovedOutside ? id : [])));
  expect(new UndoAudit(snapshot, { changedOutside: true, movedOutside }).run()).toEqual([]);
  checkClaims(snapshot, maxima);
}

/** Returns the moves of each operation that has ended, by batch, oldest operation first. */
export function pastMovesIn({ operations, batches }: Snapshot): Map<string, PastMoves> {
  const inOrder = operations.toSorted((a, b) => a.acceptedAt.getTime() - b.acceptedAt.getTime());
  const entries = inOrder.map(({ _id }) => {
    const list = (batches.get(_id) ?? []).filter(({ state }) => state !== 'end-marker');
    return [_id, list.map(({ state, moves }) => (state === 'applied' ? moves : []).flatMap(movesOfGroup))] as const;
  });
  return new Map(entries);
}

function movesOfGroup({ from, to, status, ...group }: BatchDoc['moves'][number]): PastMoves[number] {
  return idsOf([group]).map((id) => ({ id, from, to, status }));
}

/** No conversation was added or lost, and the history of each leads to its assignee. */
function checkAssignees({ conversations }: Snapshot, origins: ReadonlyMap<string, Origin>): void {
  expect([...conversations.keys()].sort()).toEqual([...origins.keys()].sort());
  for (const [id, { history, assigneeId, lastOperationId }] of conversations) {
    const assignees = [history[0] ? history[0].from : origins.get(id)?.assigneeId, ...history.map(({ to }) => to)];
    expect([id, history.map(({ from }) => from)]).toEqual([id, assignees.slice(0, -1)]);
    expect([id, assigneeId]).toEqual([id, assignees.at(-1)]);
    expect(lastOperationId).toBe(history.at(-1)?.operationId ?? null);
  }
}

/** Each conversation made the stored moves, at most one for each operation, and its history ends with the last of them. */
function checkHistories({ conversations, moves }: Snapshot, origins: ReadonlyMap<string, Origin>): void {
  const byConversation: ReadonlyMap<string, readonly StoredMove[]> = groupBy(
    moves,
    ({ conversationId }) => conversationId,
  );
  for (const [id, { history, assignmentVersion }] of conversations) {
    const own = byConversation.get(id) ?? [];
    expect([id, assignmentVersion]).toEqual([id, (origins.get(id)?.moves ?? 0) + own.length]);
    expect(new Set(own.map(({ operationId }) => operationId)).size).toBe(own.length);
    for (const { operationId, from, to } of own.length > 0 ? history.slice(-own.length) : []) {
      expect(own).toContainEqual({ conversationId: id, operationId, from, to });
    }
  }
}

/** The operation has ended, and its receipt equals its batches. */
function checkReceipt(operation: OperationDoc, { moves, batches }: Snapshot): void {
  const { _id, state, error, receipt, cancellation } = operation;
  const request = requestOf(operation);
  const own = moves.filter(({ operationId }) => operationId === _id);
  const ownBatches = batches.get(_id) ?? [];
  const skipped = ownBatches.flatMap((batch) => (batch.state === 'applied' ? batch.skips : []));
  expect([_id, state]).toEqual([_id, error ? 'failed' : cancellation ? 'cancelled' : 'done']);
  expect([_id, receipt?.left ?? null]).toEqual([_id, cancellation ? expect.any(Number) : null]);
  if (state === 'done') expect(ownBatches.filter((batch) => batch.state === 'dropped')).toEqual([]);
  expect(ownBatches.filter((batch) => batch.state === 'planned')).toEqual([]);
  expect([_id, receipt?.moved]).toEqual([_id, own.length]);
  expect(receipt?.selected).toBe(own.length + sum(skipped));
  expect(sum(receipt?.skipped ?? [])).toBe(sum(skipped));
  for (const [rows, side] of [
    [receipt?.bySource ?? [], 'from'],
    [receipt?.byTarget ?? [], 'to'],
  ] as const) {
    for (const { assigneeId, count } of rows)
      expect(own.filter((move) => move[side] === assigneeId)).toHaveLength(count);
    expect(sum(rows)).toBe(own.length);
  }
  const limit = 'count' in request ? request.count : 'confirm' in request ? request.confirm : undefined;
  expect(own.length + (receipt?.left ?? 0)).toBeLessThanOrEqual(limit ?? Infinity);
}

/** No claim was granted more than it asked for or the rules ever allowed, and neither was any texter in all claims. */
function checkClaims({ claims, conversations }: Snapshot, { batchMax, openMax }: RuleMaxima): void {
  for (const { _id, granted, request, receipt, state, error, waiting, cancellation } of claims) {
    const expectedState = error ? 'failed' : waiting ? 'accepted' : cancellation ? 'cancelled' : 'done';
    expect([_id, state]).toEqual([_id, expectedState]);
    expect(granted.length).toBeLessThanOrEqual(Math.min(request.count ?? batchMax, batchMax));
    expect(receipt?.moved ?? 0).toBe(granted.length);
    for (const id of granted) expect(conversations.has(id.toHexString())).toBe(true);
  }
  const claimIds = new Set(claims.map(({ _id }) => _id));
  const claimedByTexter = new Map<string | null, number>();
  for (const { status, assigneeId, lastOperationId } of conversations.values()) {
    if (status !== 'not-started' || !claimIds.has(lastOperationId ?? '')) continue;
    claimedByTexter.set(assigneeId, (claimedByTexter.get(assigneeId) ?? 0) + 1);
  }
  for (const [texterId, count] of claimedByTexter) expect([texterId, count <= openMax]).toEqual([texterId, true]);
}
