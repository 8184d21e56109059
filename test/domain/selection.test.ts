import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  comparePositions,
  HIDDEN_STATUSES,
  positionOf,
  STATUSES,
  statusesFrom,
  statusesOf,
  VISIBLE_STATUSES,
  type Position,
} from '../../src/domain/conversation.ts';

const IN_ORDER = ['needs-reply', 'not-started', 'in-progress', 'awaiting-contact', 'closed'];

/** Few times and few ids, so that equal values are common. */
const positions: fc.Arbitrary<Position> = fc.record({
  status: fc.constantFrom(...STATUSES),
  waitingSince: fc.nat({ max: 3 }),
  id: fc.constantFrom('0a', '0b', '10', 'ff').map((end) => end.padStart(24, '0')),
});
const isSame = (a: Position, b: Position): boolean => JSON.stringify(a) === JSON.stringify(b);

describe('the order of selection', () => {
  it('is needs-reply, not-started, in-progress, awaiting-contact, closed', () => {
    expect(STATUSES).toEqual(IN_ORDER);
    const one = { waitingSince: 0, id: '' };
    const sorted = [...STATUSES]
      .reverse()
      .map((status) => ({ status, ...one }))
      .sort(comparePositions);
    expect(sorted.map(({ status }) => status)).toEqual(IN_ORDER);
  });

  it('takes the longest waiting conversation first, and the one with the lowest id among equal times', () => {
    const at = (waitingSince: number, id: string): Position => ({ status: 'closed', waitingSince, id });
    const sorted = [at(9, 'a'), at(5, 'c'), at(5, 'b'), at(1, 'z')].sort(comparePositions);
    expect(sorted.map(({ id }) => id)).toEqual(['z', 'b', 'c', 'a']);
  });

  it('is total: one of two different conversations comes first', () => {
    fc.assert(
      fc.property(positions, positions, (a, b) => {
        expect(comparePositions(a, b) === 0).toBe(isSame(a, b));
        expect(Math.sign(comparePositions(a, b)) + Math.sign(comparePositions(b, a))).toBe(0);
      }),
    );
  });

  it('is transitive', () => {
    fc.assert(
      fc.property(positions, positions, positions, (a, b, c) => {
        fc.pre(comparePositions(a, b) < 0 && comparePositions(b, c) < 0);
        expect(comparePositions(a, c)).toBeLessThan(0);
      }),
    );
  });

  it('depends on status, waiting time and id, and not on the assignee', () => {
    const candidate = { id: 'x', assigneeId: 't1', status: 'closed', waitingSince: 4, optedOut: true } as const;
    expect(positionOf(candidate)).toEqual({ id: 'x', status: 'closed', waitingSince: 4 });
  });
});

describe('the statuses still to be read', () => {
  it('are all statuses of the choice at the beginning', () => {
    for (const choice of ['any', ...STATUSES] as const)
      expect(statusesFrom(statusesOf(choice), null)).toEqual(statusesOf(choice));
  });

  it('are the status of the position, which may be partly read, and the statuses after it', () => {
    fc.assert(
      fc.property(fc.subarray([...STATUSES]), positions, (statuses, reached) => {
        const left = statusesFrom(statuses, reached);
        const isBehind = (status: (typeof STATUSES)[number]): boolean =>
          comparePositions({ ...reached, status }, reached) < 0;
        expect(left).toEqual(statuses.filter((status) => !isBehind(status)));
      }),
    );
  });
});

describe('statusesOf', () => {
  it('returns every status for any, in the order of selection', () => {
    expect(statusesOf('any')).toEqual(IN_ORDER);
  });

  it('returns the status itself for a status', () => {
    for (const status of STATUSES) expect(statusesOf(status)).toEqual([status]);
  });

  it('does not leave out the statuses that the conversations view hides', () => {
    expect(HIDDEN_STATUSES).toEqual(['awaiting-contact']);
    expect([...VISIBLE_STATUSES, ...HIDDEN_STATUSES].sort()).toEqual([...STATUSES].sort());
  });
});
