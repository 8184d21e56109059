import { expect } from 'vitest';
import type {
  BatchDoc,
  CampaignDoc,
  ClaimDoc,
  ConversationDoc,
  OperationDoc,
  TexterDoc,
} from '../../src/mongo/documents.ts';
import type { Assignee } from '../../src/domain/conversation.ts';
import { UndoAudit } from './audit-undos.ts';
import { groupBy } from './group-by.ts';
import type { Harness } from './harness.ts';
import type { Past } from './model.ts';
import { idsOf, requestOf } from './raw.ts';

/** How a conversation came into the campaign. */
export interface Origin {
  readonly assigneeId: Assignee;
  readonly moves: number;
}

/** The widest that a campaign's rules ever were. */
export interface Caps {
  readonly batchMax: number;
  readonly openMax: number;
}

interface Move {
  readonly id: string;
  readonly operationId: string;
  readonly from: Assignee;
  readonly to: Assignee;
}

/** A campaign as its database has it, at one moment. */
export interface Snapshot {
  readonly campaign: CampaignDoc | null;
  readonly texters: readonly TexterDoc[];
  readonly conversations: ReadonlyMap<string, ConversationDoc>;
  readonly operations: readonly OperationDoc[];
  readonly claims: readonly ClaimDoc[];
  readonly batches: readonly BatchDoc[];
}

export async function snapshotOf(harness: Harness, campaignId: string): Promise<Snapshot> {
  const { database } = harness.context;
  return database.transaction(async (session) => {
    const sort = { _id: 1 } as const;
    const docs = await database.conversations.find({ campaignId }, { session, sort }).toArray();
    const ledger = await database.operations.find({ campaignId }, { session, sort }).toArray();
    const batches = await database.batches.find({ campaignId }, { session, sort }).toArray();
    const isClaim = ({ request }: OperationDoc): boolean => (request.kind as string) === 'self-assign';
    return {
      campaign: await database.campaigns.findOne({ _id: campaignId }, { session }),
      texters: await database.texters.find({ campaignId }, { session }).toArray(),
      conversations: new Map(docs.map((doc) => [doc._id.toHexString(), doc])),
      operations: ledger.filter((doc) => !isClaim(doc)),
      claims: ledger.filter(isClaim) as unknown as ClaimDoc[],
      batches,
    };
  });
}

/** What must hold of a campaign at rest, whatever has happened to it. */
export function holdInvariants(snapshot: Snapshot, origins: ReadonlyMap<string, Origin>, caps: Caps): void {
  const moves = movesIn(snapshot);
  checkAssignees(snapshot, origins);
  checkHistories(snapshot, origins, moves);
  holdReceipts(snapshot, moves);
  holdUndos(snapshot, moves);
  holdClaims(snapshot, caps);
}

/** What each operation that has ended moved, batch by batch, oldest first. */
export function pastIn({ operations, batches }: Snapshot): Map<string, Past> {
  const lists = groupBy(batches, ({ operationId }) => operationId);
  const inOrder = operations.toSorted((a, b) => a.acceptedAt.getTime() - b.acceptedAt.getTime());
  const entries = inOrder.map(({ _id }) => {
    const list = (lists.get(_id) ?? []).filter(({ state }) => state !== 'end-marker');
    return [_id, list.map(({ state, moves }) => (state === 'applied' ? moves : []).flatMap(eachOf))] as const;
  });
  return new Map(entries);
}

function eachOf({ from, to, status, ...group }: BatchDoc['moves'][number]): Past[number] {
  return idsOf([group]).map((id) => ({ id, from, to, status }));
}

/** As the ledger has them: what applied batches moved, and what claims were given. */
function movesIn({ batches, claims }: Snapshot): Move[] {
  const applied = batches.filter(({ state }) => state === 'applied');
  const byBatches = applied.flatMap(({ operationId, moves }) =>
    moves.flatMap(({ from, to, ...group }) => idsOf([group]).map((id) => ({ id, operationId, from, to }))),
  );
  const byClaims = claims.flatMap(({ _id: operationId, granted, request }) =>
    granted.map((id) => ({ id: id.toHexString(), operationId, from: null, to: request.texterId })),
  );
  return [...byBatches, ...byClaims];
}

/** Nothing came or went, and the assignee of each is where its moves led, one after the other. */
function checkAssignees({ conversations }: Snapshot, origins: ReadonlyMap<string, Origin>): void {
  expect([...conversations.keys()].sort()).toEqual([...origins.keys()].sort());
  for (const [id, { history, assigneeId, lastOperationId }] of conversations) {
    const assignees = [history[0] ? history[0].from : origins.get(id)?.assigneeId, ...history.map(({ to }) => to)];
    expect([id, history.map(({ from }) => from)]).toEqual([id, assignees.slice(0, -1)]);
    expect([id, assigneeId]).toEqual([id, assignees.at(-1)]);
    expect(lastOperationId).toBe(history.at(-1)?.operationId ?? null);
  }
}

/** Each conversation has moved as often as the ledger says, never twice for one operation, and remembers the last of it. */
function checkHistories(
  { conversations }: Snapshot,
  origins: ReadonlyMap<string, Origin>,
  moves: readonly Move[],
): void {
  const inDatabase = new Map<string, Move[]>();
  for (const move of moves) inDatabase.set(move.id, [...(inDatabase.get(move.id) ?? []), move]);
  for (const [id, { history, assignmentVersion }] of conversations) {
    const own = inDatabase.get(id) ?? [];
    expect([id, assignmentVersion]).toEqual([id, (origins.get(id)?.moves ?? 0) + own.length]);
    expect(new Set(own.map(({ operationId }) => operationId)).size).toBe(own.length);
    for (const { operationId, from, to } of own.length > 0 ? history.slice(-own.length) : []) {
      expect(own).toContainEqual({ id, operationId, from, to });
    }
  }
}

/** Every operation has ended, and its receipt says what was written. */
function holdReceipts({ operations, batches }: Snapshot, moves: readonly Move[]): void {
  for (const operation of operations) {
    const { _id, state, error, receipt, cancellation } = operation;
    const request = requestOf(operation);
    const own = moves.filter(({ operationId }) => operationId === _id);
    const ofIt = batches.filter(({ operationId }) => operationId === _id);
    const skipped = ofIt.flatMap(({ state: of, skips }) => (of === 'applied' ? skips : []));
    expect([_id, state]).toEqual([_id, error ? 'failed' : cancellation ? 'cancelled' : 'done']);
    expect([_id, receipt?.left ?? null]).toEqual([_id, cancellation ? expect.any(Number) : null]);
    if (state === 'done') expect(ofIt.filter((batch) => batch.state === 'dropped')).toEqual([]);
    expect(ofIt.filter((batch) => batch.state === 'planned')).toEqual([]);
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
    const most = 'count' in request ? request.count : 'confirm' in request ? request.confirm : undefined;
    expect(own.length + (receipt?.left ?? 0)).toBeLessThanOrEqual(most ?? Infinity);
  }
}

/** What an undo moved is what the other had moved last, the other way. */
function holdUndos({ conversations, operations, claims, batches }: Snapshot, moves: readonly Move[]): void {
  const inDatabase = moves.map(({ id: conversationId, ...move }) => ({ ...move, conversationId }));
  const lists = groupBy(batches, ({ operationId }) => operationId);
  const found = { conversations, operations, claims, batches: lists, moves: inDatabase, isWorldStill: false };
  expect(new UndoAudit(found).run()).toEqual([]);
}

/** No claim has more than it asked for or any rule ever allowed, and nobody has taken more than they may hold. */
function holdClaims({ claims, conversations }: Snapshot, { batchMax, openMax }: Caps): void {
  for (const { _id, granted, request, receipt, state, error, waiting, cancellation } of claims) {
    const standing = error ? 'failed' : waiting ? 'accepted' : cancellation ? 'cancelled' : 'done';
    expect([_id, state]).toEqual([_id, standing]);
    expect(granted.length).toBeLessThanOrEqual(Math.min(request.count ?? batchMax, batchMax));
    expect(receipt?.moved ?? 0).toBe(granted.length);
    for (const id of granted) expect(conversations.has(id.toHexString())).toBe(true);
  }
  const claimIds = new Set(claims.map(({ _id }) => _id));
  const taken = new Map<string | null, number>();
  for (const { status, assigneeId, lastOperationId } of conversations.values()) {
    if (status !== 'not-started' || !claimIds.has(lastOperationId ?? '')) continue;
    taken.set(assigneeId, (taken.get(assigneeId) ?? 0) + 1);
  }
  for (const [texterId, count] of taken) expect([texterId, count <= openMax]).toEqual([texterId, true]);
}

function sum(rows: readonly { readonly count: number }[]): number {
  return rows.reduce((total, { count }) => total + count, 0);
}
