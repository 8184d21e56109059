import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Dealer, rotated, type Seat, type Spread } from '../../src/domain/dealing.ts';

const fromPool = { assigneeId: null };
const seats = (count: number): Seat[] =>
  Array.from({ length: count }, (_, at) => ({ texterId: `t${at + 1}`, joinedOrder: at + 1 }));
const dealerOf = (targets: readonly string[], spread: Spread = 'even', loads = targets.map(() => 0)): Dealer =>
  new Dealer({ targets, loads, spread });
const names = (count: number): string[] => seats(count).map(({ texterId }) => texterId);
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
        expect(from.map((assigneeId) => dealer.deal({ assigneeId }))).toEqual(from.map((_, at) => `t${(at % 3) + 1}`));
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
    expect([dealer.deal(fromPool), dealer.nextTarget]).toEqual([undefined, undefined]);
  });

  it('gives everything to the pool when the pool is the only target', () => {
    const dealer = new Dealer({ targets: [null], loads: [0], spread: 'even' });
    expect([dealer.deal({ assigneeId: 't1' }), dealer.nextTarget]).toEqual([null, null]);
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

describe('the dealing order', () => {
  it('starts at the stored place and follows the order of joining', () => {
    expect(rotated(seats(4), 3).map(({ texterId }) => texterId)).toEqual(['t3', 't4', 't1', 't2']);
  });

  it('starts with the next texter in order when the one at the stored place is not a target', () => {
    const some = seats(6).filter(({ texterId }) => texterId !== 't3' && texterId !== 't6');
    expect(rotated(some, 3).map(({ texterId }) => texterId)).toEqual(['t4', 't5', 't1', 't2']);
    expect(rotated(some, 6).map(({ texterId }) => texterId)).toEqual(['t1', 't2', 't4', 't5']);
  });

  it('contains each target once, in whatever order the targets are given', () => {
    const order = fc.shuffledSubarray(seats(12), { minLength: 1 });
    fc.assert(
      fc.property(order, fc.nat({ max: 20 }), (targets, pointer) => {
        const ordered = rotated(targets, pointer);
        expect(new Set(ordered)).toEqual(new Set(targets));
        expect(ordered).toHaveLength(targets.length);
        expect(rotated([...targets].reverse(), pointer)).toEqual(ordered);
      }),
    );
  });

  it('gives no texter the remainder twice before every other texter had it', () => {
    const sizes = fc.array(fc.nat({ max: 30 }), { maxLength: 40 });
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 12 }), sizes, (k, operations) => {
        let pointer = 0;
        const total = names(k).map(() => 0);
        for (const n of operations) {
          const order = rotated(seats(k), pointer);
          const dealer = dealerOf(order.map(({ texterId }) => texterId));
          for (const [seat, more] of tally(dealt(dealer, n), names(k)).entries())
            total[seat] = (total[seat] ?? 0) + more;
          pointer = order.find(({ texterId }) => texterId === dealer.nextTarget)?.joinedOrder ?? 0;
          expect(Math.max(...total) - Math.min(...total)).toBeLessThanOrEqual(1);
        }
      }),
    );
  });
});
