import { expect } from 'vitest';
import type { Assignee } from '../../src/domain/conversation.ts';
import type { ConversationDoc, OperationDoc } from '../../src/mongo/documents.ts';
import type { Preview } from '../../src/operations/jobs.ts';
import type { Receipt } from '../../src/domain/receipt.ts';
import type { Harness } from './harness.ts';
import type { Expectation, Model } from './model.ts';
import { bytesOf, idsOf, rawBatches } from './raw.ts';
import type { AnyRequest } from './send.ts';

const TRAIL_MAX = 20;

/** A move as its conversation must know it. */
export interface WrittenMove {
  readonly id: string;
  readonly from: Assignee;
  readonly to: Assignee;
  readonly operationId: string;
  readonly by: string | null;
}

export function writtenBy({ operationId, actorId }: AnyRequest, { moves }: Expectation): WrittenMove[] {
  return moves.map(({ id, from, to }) => ({ id, from, to, operationId, by: actorId ?? null }));
}

/** Every document is what it was, but for what these moves, in their order, must have written into it. */
export function holdDocuments(
  before: ReadonlyMap<string, ConversationDoc>,
  after: ReadonlyMap<string, ConversationDoc>,
  moves: readonly WrittenMove[],
): void {
  expect([...after.keys()]).toEqual([...before.keys()]);
  for (const [id, was] of before) {
    const is = after.get(id);
    const own = moves.filter((move) => move.id === id);
    // Only the moments are the engine's own.
    const moments = is?.history.slice(-own.length).map(({ at }) => at) ?? [];
    const expected = own.reduce((doc, move, index) => moved(doc, move, moments[index] ?? new Date(0)), was);
    expect(bytesOf(is)).toBe(bytesOf(expected));
  }
}

function moved(was: ConversationDoc, { from, to, operationId, by }: WrittenMove, at: Date): ConversationDoc {
  expect(was.assigneeId).toBe(from);
  return {
    ...was,
    assigneeId: to,
    assignmentVersion: was.assignmentVersion + 1,
    assignedAt: at,
    lastOperationId: operationId,
    history: [...was.history, { operationId, from, to, at, by }].slice(-TRAIL_MAX),
  };
}

/** An operation's moves were made while it ran. */
export function holdMoments(
  after: ReadonlyMap<string, ConversationDoc>,
  { _id, startedAt, endedAt }: OperationDoc,
): void {
  for (const { history } of after.values()) {
    for (const { at } of history.filter(({ operationId }) => operationId === _id)) {
      expect(at.getTime()).toBeGreaterThanOrEqual(startedAt?.getTime() ?? Infinity);
      expect(at.getTime()).toBeLessThanOrEqual(endedAt?.getTime() ?? -Infinity);
    }
  }
}

/** The batches hold exactly what was selected, each once, as many in each, in the order of selection. */
export async function holdBatches(harness: Harness, operationId: string, expected: Expectation): Promise<void> {
  const stored = await rawBatches(harness, operationId);
  expect(stored.map(({ number }) => number)).toEqual(stored.map((_, index) => index + 1));
  expect(stored.map(({ state }) => state)).toEqual([...stored.slice(1).map(() => 'applied'), 'end-marker']);
  const moves = new Map(expected.moves.map((move) => [move.id, move]));
  for (const [index, batch] of stored.slice(0, -1).entries()) {
    const share = expected.batches[index] ?? [];
    expect([...idsOf(batch.moves), ...idsOf(batch.skips)].sort()).toEqual([...share].sort());
    for (const group of batch.moves) {
      expect(group.count).toBe(group.conversationIds.length);
      const { from, to, status } = group;
      for (const id of idsOf([group])) expect({ id, from, to, status }).toEqual(moves.get(id));
    }
    for (const group of batch.skips) {
      expect(group.count).toBe(group.conversationIds.length);
      for (const id of idsOf([group])) expect([id, group.reason]).toEqual([id, expected.skips.get(id)]);
    }
  }
  expect(stored.length - 1).toBe(expected.batches.length);
}

export function holdReceipt(receipt: Receipt | null, expected: Expectation, request: AnyRequest): void {
  const asked = 'count' in request ? (request.count ?? null) : null;
  const { moves } = expected;
  expect(receipt && { ...receipt, ...sorted(receipt) }).toEqual({
    selected: expected.batches.flat().length,
    moved: moves.length,
    asked,
    shortBecause: asked !== null && moves.length < asked ? 'none-left' : null,
    left: null,
    ...sorted({
      skipped: tally([...expected.skips.values()], (reason) => ({ reason })),
      bySource: tally(moves, ({ from }) => ({ assigneeId: from })),
      byTarget: tally(moves, ({ to }) => ({ assigneeId: to })),
      byStatus: tally(moves, ({ status }) => ({ status })),
    }),
  });
}

/** `confirm` apart, a preview says exactly what then happens. */
export function holdPreview(preview: Preview, expected: Expectation, model: Model): void {
  const moves = tally(expected.moves, ({ from, to, status }) => ({ from, to, status }));
  const skipped = tally([...expected.skips.values()], (reason) => ({ reason }));
  const { selected, moved } = preview;
  expect({ selected, moved }).toEqual({ selected: expected.batches.flat().length, moved: expected.moves.length });
  expect(inOrder(preview.moves)).toEqual(inOrder(moves));
  expect(inOrder(preview.skipped)).toEqual(inOrder(skipped));
  const all = [...model.conversations.values()];
  for (const { assigneeId, before, after } of preview.assignees) {
    const leaving = expected.moves.filter(({ from }) => from === assigneeId).length;
    const coming = expected.moves.filter(({ to }) => to === assigneeId).length;
    const held = all.filter((each) => each.assigneeId === assigneeId).length;
    expect({ assigneeId, before, after }).toEqual({ assigneeId, before: held, after: held - leaving + coming });
  }
  const touched = new Set(expected.moves.flatMap(({ from, to }) => [from, to]));
  expect(preview.assignees.map(({ assigneeId }) => assigneeId)).toEqual(expect.arrayContaining([...touched]));
}

/** An even split differs by at most 1 in what each was dealt, whatever lies with whom already. */
export function holdEvenness(expected: Expectation, model: Model, targets: readonly string[]): void {
  const dealt = new Map(targets.map((target) => [target, 0]));
  const add = (target: string | null): void => void dealt.set(target ?? '', (dealt.get(target ?? '') ?? 0) + 1);
  for (const { to } of expected.moves) add(to);
  for (const [id, reason] of expected.skips) if (reason === 'already-there') add(model.conversation(id).assigneeId);
  const counts = [...dealt.values()];
  expect(Math.max(...counts) - Math.min(...counts)).toBeLessThanOrEqual(1);
}

function tally<Item, Key extends object>(
  items: readonly Item[],
  keyOf: (item: Item) => Key,
): (Key & { count: number })[] {
  const counts = new Map<string, Key & { count: number }>();
  for (const item of items) {
    const key = keyOf(item);
    const name = JSON.stringify(key);
    counts.set(name, { ...key, count: (counts.get(name)?.count ?? 0) + 1 });
  }
  return [...counts.values()];
}

type Lists = Pick<Receipt, 'skipped' | 'bySource' | 'byTarget' | 'byStatus'>;

/** Nobody promises the order of a receipt's lists. */
function sorted({ skipped, bySource, byTarget, byStatus }: Lists): Lists {
  return {
    skipped: inOrder(skipped),
    bySource: inOrder(bySource),
    byTarget: inOrder(byTarget),
    byStatus: inOrder(byStatus),
  };
}

function inOrder<Row extends object>(rows: readonly Row[]): Row[] {
  const name = (row: Row): string => JSON.stringify(Object.entries(row).sort(([a], [b]) => (a < b ? -1 : 1)));
  return [...rows].sort((a, b) => (name(a) < name(b) ? -1 : 1));
}
