import { expect } from 'vitest';
import type { Assignee } from '../../../src/domain/conversation.ts';
import type { ConversationDoc, OperationDoc } from '../../../src/mongo/documents.ts';
import { bytesOf } from '../raw.ts';
import type { ModelRequest } from '../any-request.ts';
import type { Expectation } from './model.ts';

/** A promise of Baton, so it is not imported from the code. */
const HISTORY_MOVES_MAX = 20;

/** A move as its conversation must record it. */
export interface RecordedMove {
  readonly id: string;
  readonly from: Assignee;
  readonly to: Assignee;
  readonly operationId: string;
  readonly by: string | null;
}

export function recordedMoves({ operationId, actorId }: ModelRequest, { moves }: Expectation): RecordedMove[] {
  return moves.map(({ id, from, to }) => ({ id, from, to, operationId, by: actorId ?? null }));
}

/** Checks that the documents differ only by these moves, made in this order. */
export function checkDocuments(
  before: ReadonlyMap<string, ConversationDoc>,
  after: ReadonlyMap<string, ConversationDoc>,
  moves: readonly RecordedMove[],
): void {
  expect([...after.keys()]).toEqual([...before.keys()]);
  for (const [id, earlier] of before) {
    const later = after.get(id);
    const own = moves.filter((move) => move.id === id);
    // The model does not know the times of the moves.
    const times = later?.history.slice(-own.length).map(({ at }) => at) ?? [];
    const expected = own.reduce((doc, move, index) => withMove(doc, move, times[index] ?? new Date(0)), earlier);
    expect(bytesOf(later)).toBe(bytesOf(expected));
  }
}

function withMove(doc: ConversationDoc, { from, to, operationId, by }: RecordedMove, at: Date): ConversationDoc {
  expect(doc.assigneeId).toBe(from);
  const { status, lastInboundAt, lastOutboundAt } = doc;
  return {
    ...doc,
    assigneeId: to,
    assignmentVersion: doc.assignmentVersion + 1,
    assignedAt: at,
    lastOperationId: operationId,
    atLastMove: { version: doc.assignmentVersion + 1, status, lastInboundAt, lastOutboundAt },
    history: [...doc.history, { operationId, from, to, at, by }].slice(-HISTORY_MOVES_MAX),
  };
}

/** Checks that the moves of an operation were made between its start and its end. */
export function checkMoveTimes(
  conversations: ReadonlyMap<string, ConversationDoc>,
  { _id, startedAt, endedAt }: OperationDoc,
): void {
  for (const { history } of conversations.values()) {
    for (const { at } of history.filter(({ operationId }) => operationId === _id)) {
      expect(at.getTime()).toBeGreaterThanOrEqual(startedAt?.getTime() ?? Infinity);
      expect(at.getTime()).toBeLessThanOrEqual(endedAt?.getTime() ?? -Infinity);
    }
  }
}
