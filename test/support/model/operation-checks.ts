import { expect } from 'vitest';
import type { Status } from '../../../src/domain/conversation.ts';
import type { OverLimit, Receipt } from '../../../src/domain/receipt.ts';
import type { Preview } from '../../../src/operations/jobs.ts';
import type { Harness } from '../harness.ts';
import { idsOf, rawBatches, rawConversations, rawOperation } from '../raw.ts';
import type { ModelRequest } from '../any-request.ts';
import { checkMoveTimes } from './document-checks.ts';
import type { Expectation, Model } from './model.ts';
import { hasTargetsAsSources, targetsOf } from './operation-rules.ts';

/** Checks the answer, the receipt and the batches of an operation that has ended. */
export async function checkOperation(
  { harness, model }: { harness: Harness; model: Model },
  request: ModelRequest,
  expected: Expectation,
  answer: unknown,
): Promise<void> {
  const operation = await rawOperation(harness, request.operationId);
  if (expected.refusals.length > 0) {
    expect(expected.refusals).toContain(answer);
    expect(operation).toMatchObject({ state: 'failed', error: { code: answer } });
    return;
  }
  expect(answer).toMatchObject({ state: 'done', operationId: request.operationId, receipt: operation.receipt });
  checkReceipt(operation.receipt, expected, request, overLimit(model, expected, request));
  checkMoveTimes(await rawConversations(harness, request.campaignId), operation);
  await checkBatches(harness, request.operationId, expected);
  if (request.kind !== 'reassign' || request.spread === 'level') return;
  // Targets that are sources too receive different numbers, so that they have the same in the end.
  if (!hasTargetsAsSources(model, request)) checkEvenDeal(expected, model, request);
}

/** Checks that the batches have exactly the selected conversations, each once, in the order of selection. */
async function checkBatches(harness: Harness, operationId: string, expected: Expectation): Promise<void> {
  const stored = await rawBatches(harness, operationId);
  expect(stored.map(({ number }) => number)).toEqual(stored.map((_, index) => index + 1));
  expect(stored.map(({ state }) => state)).toEqual([...stored.slice(1).map(() => 'applied'), 'end-marker']);
  const moves = new Map(expected.moves.map((move) => [move.id, move]));
  for (const [index, batch] of stored.slice(0, -1).entries()) {
    const selected = expected.batches[index] ?? [];
    expect([...idsOf(batch.moves), ...idsOf(batch.skips)].sort()).toEqual([...selected].sort());
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

/** The texters who receive conversations and then have more than claims would give. */
function overLimit(model: Model, { moves }: Expectation, request: ModelRequest): OverLimit[] {
  const { enabled, openMax, repliesMax } = model.rules;
  if (!enabled || !request.kind.startsWith('reassign')) return [];
  const after = model.clone();
  for (const move of moves) after.move(request.operationId, move);
  return [...new Set(moves.flatMap(({ to }) => to ?? []))].flatMap((texterId): OverLimit[] => {
    const count = (status: Status): number =>
      after.select([texterId], status).filter(({ optedOut }) => !optedOut).length;
    const open = { texterId, limit: 'open-max' as const, max: openMax, count: count('not-started') };
    const replies = {
      texterId,
      limit: 'replies-max' as const,
      max: repliesMax ?? Infinity,
      count: count('needs-reply'),
    };
    return [open, replies].filter(({ count: has, max }) => has > max);
  });
}

function checkReceipt(
  receipt: Receipt | null,
  expected: Expectation,
  request: ModelRequest,
  over: readonly OverLimit[],
): void {
  const asked = 'count' in request ? (request.count ?? null) : null;
  const { moves } = expected;
  const rows = receipt?.overLimit && { overLimit: sortedRows(receipt.overLimit) };
  expect(receipt && { ...receipt, ...rows, ...withSortedRows(receipt) }).toEqual({
    selected: expected.batches.flat().length,
    moved: moves.length,
    asked,
    shortBecause: asked !== null && moves.length < asked ? 'none-left' : null,
    left: null,
    ...(over.length > 0 && { overLimit: sortedRows(over) }),
    ...withSortedRows({
      skipped: countBy([...expected.skips.values()], (reason) => ({ reason })),
      bySource: countBy(moves, ({ from }) => ({ assigneeId: from })),
      byTarget: countBy(moves, ({ to }) => ({ assigneeId: to })),
      byStatus: countBy(moves, ({ status }) => ({ status })),
    }),
  });
}

/** Checks that a preview shows exactly what the operation would do now. */
export function checkPreview(preview: Preview, expected: Expectation, model: Model): void {
  const moves = countBy(expected.moves, ({ from, to, status }) => ({ from, to, status }));
  const skipped = countBy([...expected.skips.values()], (reason) => ({ reason }));
  const { selected, moved } = preview;
  expect({ selected, moved }).toEqual({ selected: expected.batches.flat().length, moved: expected.moves.length });
  expect(sortedRows(preview.moves)).toEqual(sortedRows(moves));
  expect(sortedRows(preview.skipped)).toEqual(sortedRows(skipped));
  const all = [...model.conversations.values()];
  for (const { assigneeId, before, after } of preview.assignees) {
    const leaving = expected.moves.filter(({ from }) => from === assigneeId).length;
    const coming = expected.moves.filter(({ to }) => to === assigneeId).length;
    const load = all.filter((each) => each.assigneeId === assigneeId).length;
    expect({ assigneeId, before, after }).toEqual({ assigneeId, before: load, after: load - leaving + coming });
  }
  const affected = new Set(expected.moves.flatMap(({ from, to }) => [from, to]));
  expect(preview.assignees.map(({ assigneeId }) => assigneeId)).toEqual(expect.arrayContaining([...affected]));
}

/** Checks that an even deal gives any two targets numbers that differ by at most 1, whatever they have already. */
function checkEvenDeal(expected: Expectation, model: Model, request: ModelRequest & { kind: 'reassign' }): void {
  const dealt = new Map(targetsOf(model, request).map(({ texterId }) => [texterId, 0]));
  const add = (target: string | null): void => void dealt.set(target ?? '', (dealt.get(target ?? '') ?? 0) + 1);
  for (const { to } of expected.moves) add(to);
  const counts = [...dealt.values()];
  expect(Math.max(...counts) - Math.min(...counts)).toBeLessThanOrEqual(1);
}

function countBy<Item, Key extends object>(
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

/** The lists of a receipt have no promised order. */
function withSortedRows({ skipped, bySource, byTarget, byStatus }: Lists): Lists {
  return {
    skipped: sortedRows(skipped),
    bySource: sortedRows(bySource),
    byTarget: sortedRows(byTarget),
    byStatus: sortedRows(byStatus),
  };
}

function sortedRows<Row extends object>(rows: readonly Row[]): Row[] {
  const name = (row: Row): string => JSON.stringify(Object.entries(row).sort(([a], [b]) => (a < b ? -1 : 1)));
  return [...rows].sort((a, b) => (name(a) < name(b) ? -1 : 1));
}
