import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Dealer } from '../../src/domain/dealing.ts';
import type { Spread } from '../../src/domain/operation.ts';

const fromPool = { assigneeId: null, status: 'closed' } as const;
const dealerOf = (targets: readonly string[], spread: Spread = 'even', loads = targets.map(() => 0)): Dealer =>
  new Dealer({ targets, loads, spread });
const names = (count: number): string[] => Array.from({ length: count }, (_, at) => `t${at + 1}`);
const dealt = (dealer: Dealer, count: number): (string | null | undefined)[] =>
  Array.from({ length: count }, () => dealer.deal(fromPool));
const tally = (deals: readonly unknown[], targets: readonly string[]): number[] =>
  targets.map((target) => deals.filter((deal) => deal === target).length);

const targetCount = fc.integer({ min: 1, max: 60 });
const dealCount = fc.integer({ min: 0, max: 300 });

describe('an even deal', () => {
  it('differs by at most one between any two targets', () => {
    fc.assert(
      fc.property(targetCount, dealCount, (k, n) => {
        const counts = tally(dealt(dealerOf(names(k)), n), names(k));
        expect(Math.max(...counts) - Math.min(...counts)).toBeLessThanOrEqual(1);
      }),
    );
  });

  // Splits that rounding up and cutting into blocks would get wrong: the last target would get nothing.
  it.each([
    [4, 3, [2, 1, 1]],
    [9, 4, [3, 2, 2, 2]],
    [10, 7, [2, 2, 2, 1, 1, 1, 1]],
  ])('of %i conversations to %i targets gives %j', (n, k, shares) => {
    expect(tally(dealt(dealerOf(names(k)), n), names(k))).toEqual(shares);
  });

  it('of 50 conversations to 40 targets gives each at least one', () => {
    expect(Math.min(...tally(dealt(dealerOf(names(40)), 50), names(40)))).toBe(1);
  });

  it('gives one conversation to each target in rotation, so that each gets the same mix of old and new', () => {
    fc.assert(
      fc.property(targetCount, dealCount, (k, n) => {
        expect(dealt(dealerOf(names(k)), n)).toEqual(Array.from({ length: n }, (_, at) => `t${(at % k) + 1}`));
      }),
    );
  });

  it('does not depend on the current assignees', () => {
    const assignees = fc.array(fc.constantFrom(null, 'stranger', 'another'), { maxLength: 50 });
    fc.assert(
      fc.property(assignees, (from) => {
        const dealer = dealerOf(names(3));
        expect(from.map((assigneeId) => dealer.deal({ ...fromPool, assigneeId }))).toEqual(
          from.map((_, at) => `t${(at % 3) + 1}`),
        );
      }),
    );
  });

  it('gives a replacement for each deal that was taken back', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 2, max: 20 }),
        fc.array(fc.nat({ max: 19 }), { maxLength: 15 }),
        (k, shortfalls) => {
          const targets = names(k);
          const dealer = dealerOf(targets);
          const counts = tally(dealt(dealer, 40), targets);
          const back = shortfalls.map((shortfall) => shortfall % k).filter((seat) => (counts[seat] ?? 0) > 0);
          for (const seat of back) {
            dealer.takeBack({ from: null, to: targets[seat] ?? '' }, 1);
            counts[seat] = (counts[seat] ?? 0) - 1;
          }
          const fewest = Math.min(...counts);
          const owed = counts.reduce((sum, count) => sum + Math.max(...counts) - count, 0);
          for (const [seat, more] of tally(dealt(dealer, owed), targets).entries())
            counts[seat] = (counts[seat] ?? 0) + more;
          expect(Math.min(...counts)).toBeGreaterThanOrEqual(fewest);
          expect(Math.max(...counts) - Math.min(...counts)).toBe(0);
        },
      ),
    );
  });

  it('continues from stored loads as it would have without a crash', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 20 }), dealCount, dealCount, (k, before, after) => {
        const whole = dealerOf(names(k));
        const first = dealerOf(names(k));
        dealt(whole, before);
        dealt(first, before);
        const successor = dealerOf(names(k), 'even', first.loads);
        expect(dealt(successor, after)).toEqual(dealt(whole, after));
      }),
    );
  });

  it('gives nothing to targets that are left out, and ends when no target is left', () => {
    const dealer = dealerOf(names(3));
    dealer.leaveOut('t2');
    expect(dealt(dealer, 4)).toEqual(['t1', 't3', 't1', 't3']);
    dealer.leaveOut('t1');
    dealer.leaveOut('t3');
    expect([dealer.deal(fromPool), dealer.hasTargets]).toEqual([undefined, false]);
  });

  it('gives everything to the pool when the pool is the only target', () => {
    const dealer = new Dealer({ targets: [null], loads: [0], spread: 'even' });
    expect(dealer.deal({ ...fromPool, assigneeId: 't1' })).toBeNull();
  });
});

describe('a level deal', () => {
  const loads = fc.array(fc.nat({ max: 50 }), { minLength: 1, maxLength: 20 });

  it('fills the target with the lowest load first', () => {
    expect(dealt(dealerOf(names(3), 'level', [5, 2, 3]), 6)).toEqual(['t2', 't2', 't3', 't2', 't3', 't1']);
  });

  it('never gives to a target while another has a lower load', () => {
    fc.assert(
      fc.property(loads, dealCount, (start, n) => {
        const targets = names(start.length);
        const has = [...start];
        for (const to of dealt(dealerOf(targets, 'level', start), n)) {
          const seat = targets.indexOf(to ?? '');
          expect(has[seat]).toBe(Math.min(...has));
          has[seat] = (has[seat] ?? 0) + 1;
        }
      }),
    );
  });

  it('starts with the first in order among equal loads', () => {
    expect(dealt(dealerOf(['t3', 't1', 't2'], 'level', [1, 1, 1]), 3)).toEqual(['t3', 't1', 't2']);
  });
});

describe('a deal with credits', () => {
  const credits = [{ status: 'closed', credits: [0, 0.5, -0.5] }] as const;
  const dealerWith = (loads: readonly number[], spread: Spread = 'even'): Dealer =>
    new Dealer({ targets: names(3), loads, spread, credits });

  it('gives the remainder to the largest credits', () => {
    expect(dealt(dealerWith([0, 0, 0]), 5)).toEqual(['t2', 't1', 't3', 't2', 't1']);
  });

  it('uses the credits of the status of each conversation', () => {
    const other = { ...fromPool, status: 'needs-reply' } as const;
    const dealer = dealerWith([0, 0, 0]);
    expect([other, fromPool, fromPool].map((each) => dealer.deal(each))).toEqual(['t1', 't2', 't3']);
  });

  it('prefers a lower load to a larger credit (level)', () => {
    expect(dealt(dealerWith([1, 1, 0], 'level'), 2)).toEqual(['t3', 't2']);
  });
});
