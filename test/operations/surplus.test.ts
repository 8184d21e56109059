import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { AssigneeCount } from '../../src/conversations/index.ts';
import { STATUSES } from '../../src/domain/conversation.ts';
import { Dealer } from '../../src/domain/dealing.ts';
import type { Spread } from '../../src/domain/operation.ts';
import { countSurplus, findSurplus } from '../../src/operations/surplus.ts';

const SPREADS: readonly Spread[] = ['even', 'level'];
const names = (count: number): string[] => Array.from({ length: count }, (_, at) => `t${at + 1}`);
const closed = (assigneeId: string | null, count: number): AssigneeCount => ({ assigneeId, status: 'closed', count });
const sum = (numbers: readonly number[]): number => numbers.reduce((total, each) => total + each, 0);

/** Texters t1, t2, … have these numbers of conversations, and all of them are sources and targets. */
function among(loads: readonly number[], pool = 0, spread: Spread = 'even'): ReturnType<typeof findSurplus> {
  const targets = names(loads.length);
  const all = [closed(null, pool), ...loads.map((load, at) => closed(targets[at] ?? '', load))];
  return findSurplus({ sources: [null, ...targets], targets, statuses: STATUSES, spread }, { all, fixed: [] });
}

describe.each(SPREADS)('the shares of targets that are sources too (%s)', (spread) => {
  it('let every target keep its conversations when the loads differ by at most one', () => {
    const { loads, surplus } = among([100, 100, 101, 100], 0, spread);
    expect(loads).toEqual([100, 100, 101, 100]);
    expect(surplus).toEqual({ emptied: [], shares: [100, 100, 101, 100] });
    expect(countSurplus(surplus, loads)).toBe(0);
  });

  it('divide the conversations of one texter who has everything', () => {
    const { loads, surplus } = among([0, 0, 500, 0, 0], 0, spread);
    expect(surplus.shares).toEqual([100, 100, 100, 100, 100]);
    expect(countSurplus(surplus, loads)).toBe(400);
  });

  it('move as many conversations as a newcomer among 300 texters receives', () => {
    const { loads, surplus } = among([0, ...Array.from({ length: 299 }, () => 300)], 0, spread);
    expect(surplus.shares[0]).toBe(299);
    expect(countSurplus(surplus, loads)).toBe(299);
  });

  it('give the remainder to the first in order when no target has it already', () => {
    expect(among([0, 0, 0], 4, spread).surplus).toEqual({ emptied: [null], shares: [2, 1, 1] });
  });

  it('are as equal as the selected conversations allow, with the fewest moves', () => {
    const texter = fc.record({ movable: fc.nat(30), fixed: fc.nat(30), otherStatus: fc.nat(30) });
    const texters = fc.array(texter, { minLength: 1, maxLength: 8 });
    fc.assert(
      fc.property(texters, fc.nat(60), fc.nat(10), (some, poolMovable, poolFixed) => {
        const targets = names(some.length);
        const all = [
          closed(null, poolMovable + poolFixed),
          ...some.flatMap(({ movable, fixed, otherStatus }, at): AssigneeCount[] => [
            closed(targets[at] ?? '', movable + fixed),
            { assigneeId: targets[at] ?? '', status: 'in-progress', count: otherStatus },
          ]),
        ];
        const fixed = [closed(null, poolFixed), ...some.map((texter, at) => closed(targets[at] ?? '', texter.fixed))];
        const request = { sources: [null, ...targets], targets, statuses: ['closed'] as const, spread };
        const { loads, surplus } = findSurplus(request, { all, fixed });
        expect(loads).toEqual(some.map(({ movable, otherStatus }) => movable + (spread === 'level' ? otherStatus : 0)));
        expect(sum(surplus.shares)).toBe(sum(loads) + poolMovable);
        const lowest = Math.min(...surplus.shares);
        for (const [at, { movable }] of some.entries()) {
          const share = surplus.shares[at] ?? 0;
          const given = (loads[at] ?? 0) - share;
          expect(given).toBeLessThanOrEqual(movable);
          // A target that received or can still give is at the lowest share, or has one conversation of the remainder.
          if (given < movable) expect(share - lowest).toBeLessThanOrEqual(1);
        }
      }),
    );
  });
});

describe('a deal to targets with shares', () => {
  const dealerOf = (before: readonly number[], after: readonly number[], spread: Spread = 'even'): Dealer =>
    new Dealer({ targets: names(before.length), loads: before, spread, shares: { before, after } });

  it('gives every receiver the same mix of old and new (even)', () => {
    const missing = fc.array(fc.nat(40), { minLength: 1, maxLength: 8 }).filter((each) => sum(each) > 0);
    fc.assert(
      fc.property(missing, (receives) => {
        const dealer = dealerOf(
          receives.map(() => 7),
          receives.map((count) => count + 7),
        );
        const got = receives.map(() => 0);
        for (let dealt = 1; dealt <= sum(receives); dealt += 1) {
          const to = names(receives.length).indexOf(dealer.deal({ assigneeId: null, status: 'closed' }) ?? '');
          got[to] = (got[to] ?? 0) + 1;
          for (const [at, count] of receives.entries()) {
            const exact = (count * dealt) / sum(receives);
            expect(Math.abs((got[at] ?? 0) - exact)).toBeLessThanOrEqual(receives.length);
          }
        }
        expect(got).toEqual(receives);
      }),
    );
  });

  it('fills the target with the lowest load first (level)', () => {
    const dealer = dealerOf([5, 1, 3], [3, 3, 3], 'level');
    expect([dealer.surplusOf('t1'), dealer.deal({ assigneeId: 't1', status: 'closed' })]).toEqual([2, 't2']);
    expect([dealer.surplusOf('t1'), dealer.deal({ assigneeId: 't1', status: 'closed' })]).toEqual([1, 't2']);
    expect(dealer.surplusOf('t1')).toBe(0);
  });

  it('lets a target keep its surplus when no other target can receive it', () => {
    const dealer = dealerOf([8, 0, 4], [4, 4, 4]);
    dealer.leaveOut('t2');
    expect(dealer.surplusOf('t1')).toBe(0);
  });

  it('gives conversations without a texter to the remaining targets, beyond their shares', () => {
    const dealer = dealerOf([0, 0], [1, 1]);
    dealer.leaveOut('t2');
    expect([1, 2, 3].map(() => dealer.deal({ assigneeId: null, status: 'closed' }))).toEqual(['t1', 't1', 't1']);
  });

  it('asks the same target for a replacement of a deal that was taken back', () => {
    const dealer = dealerOf([3, 0], [2, 1]);
    expect(dealer.deal({ assigneeId: 't1', status: 'closed' })).toBe('t2');
    expect(dealer.surplusOf('t1')).toBe(0);
    dealer.takeBack({ from: 't1', to: 't2' }, 1);
    expect(dealer.surplusOf('t1')).toBe(1);
    expect(dealer.deal({ assigneeId: 't1', status: 'closed' })).toBe('t2');
  });
});
