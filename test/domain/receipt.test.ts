import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { STATUSES } from '../../src/domain/conversation.ts';
import { SKIP_REASONS, totalUp } from '../../src/domain/receipt.ts';

const assignees = fc.constantFrom(null, 't1', 't2', 't3');
const moves = fc.array(
  fc.record({
    from: assignees,
    to: assignees,
    status: fc.constantFrom(...STATUSES),
    count: fc.integer({ min: 1, max: 99 }),
  }),
  { maxLength: 20 },
);
const skips = fc.uniqueArray(
  fc.record({ reason: fc.constantFrom(...SKIP_REASONS), count: fc.integer({ min: 1, max: 99 }) }),
  { selector: ({ reason }) => reason },
);
const sum = (rows: readonly { count: number }[]): number => rows.reduce((total, { count }) => total + count, 0);

describe('a receipt', () => {
  it('adds up: selected is moved plus skipped, and the counts by source, target and status each sum up to moved', () => {
    fc.assert(
      fc.property(moves, skips, fc.boolean(), (moved, skipped, ended) => {
        const receipt = totalUp(moved, skipped, { asked: null, ended });
        expect(receipt.moved).toBe(sum(moved));
        expect(receipt.selected).toBe(receipt.moved + sum(receipt.skipped));
        for (const rows of [receipt.bySource, receipt.byTarget, receipt.byStatus])
          expect(sum(rows)).toBe(receipt.moved);
      }),
    );
  });

  it('lists each source, target and status once', () => {
    fc.assert(
      fc.property(moves, (moved) => {
        const { bySource, byTarget, byStatus } = totalUp(moved, [], { asked: null, ended: true });
        const names = [
          bySource.map((row) => row.assigneeId),
          byTarget.map((row) => row.assigneeId),
          byStatus.map((row) => row.status),
        ];
        for (const list of names) expect(new Set(list).size).toBe(list.length);
      }),
    );
  });

  const ten = [{ from: null, to: 't1', status: 'closed', count: 10 }] as const;
  it.each([
    ['is not short when the requested count moved', 10, true, null],
    ['is short with none-left when fewer conversations moved', 11, true, 'none-left'],
    ['is not short when the request has no count', null, true, null],
    ['is short with stopped when the operation stopped, even if the requested count moved', 10, false, 'stopped'],
  ])('%s', (_sentence, asked, ended, shortBecause) => {
    expect(totalUp(ten, [], { asked, ended })).toMatchObject({ asked, moved: 10, shortBecause });
  });
});
