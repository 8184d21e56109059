import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { STATUSES, type Status } from '../../src/domain/conversation.ts';
import { creditsAfter, creditsOf, type Credit } from '../../src/domain/credits.ts';
import { Dealer, type Spread } from '../../src/domain/dealing.ts';
import type { MoveCount } from '../../src/domain/receipt.ts';

const NO_ONE: ReadonlySet<string> = new Set();
const names = (count: number): string[] => Array.from({ length: count }, (_, at) => `t${at + 1}`);

/** A campaign that deals again and again. It counts what each texter should have received, and what it received. */
class Campaign {
  credits: Credit[] = [];
  readonly received = new Map<string, number>();
  private readonly owed = new Map<string, number>();

  /** Deals conversations of these statuses, in order, from a pool. Returns the targets. */
  deal(targets: readonly string[], statuses: readonly Status[], spread: Spread = 'even', loads?: number[]): string[] {
    const plan = { targets, spread, loads: loads ?? targets.map(() => 0) };
    const dealer = new Dealer({ ...plan, credits: creditsOf(this.credits, targets, STATUSES) });
    const dealt = statuses.map((status) => ({ status, to: dealer.deal({ assigneeId: null, status }) ?? '' }));
    const moves = dealt.map(({ status, to }): MoveCount => ({ from: null, to, status, count: 1 }));
    for (const { status, to } of dealt) {
      add(this.received, to, 1);
      for (const target of targets) add(this.owed, `${target} ${status}`, 1 / targets.length);
      add(this.owed, `${to} ${status}`, -1);
    }
    this.credits = creditsAfter(this.credits, plan, moves, NO_ONE);
    return dealt.map(({ to }) => to);
  }

  /** The largest difference between what a texter should have and what it has, of one status. */
  get drift(): number {
    return Math.max(0, ...[...this.owed.values()].map(Math.abs));
  }

  receivedBy(texterIds: readonly string[]): number[] {
    return texterIds.map((texterId) => this.received.get(texterId) ?? 0);
  }
}

function add(sums: Map<string, number>, key: string, amount: number): void {
  sums.set(key, (sums.get(key) ?? 0) + amount);
}

const repeat = <Item>(count: number, item: Item): Item[] => Array.from({ length: count }, () => item);

describe('the remainder of a deal', () => {
  it('goes to every texter when the targets change from deal to deal', () => {
    const campaign = new Campaign();
    const remainders = repeat(12, null).flatMap(() => {
      const [first] = campaign.deal(names(3), ['closed']);
      campaign.deal(names(2), ['closed', 'closed']);
      return first;
    });
    expect(names(3).map((name) => remainders.filter((each) => each === name).length)).toEqual([4, 4, 4]);
  });

  it.each([3, 4, 5])('goes to one of %i texters as often as to the others while that texter is present', (count) => {
    const campaign = new Campaign();
    const all = names(count);
    for (let round = 0; round < 24; round += 1) campaign.deal(round % 2 === 0 ? all : all.slice(0, -1), ['closed']);
    const exact = 12 / count;
    expect(Math.abs((campaign.receivedBy(all).at(-1) ?? 0) - exact)).toBeLessThan(1);
  });

  it('of two statuses that are dealt in turn goes to both texters for both statuses', () => {
    const campaign = new Campaign();
    const byStatus = { 'needs-reply': new Set<string>(), 'not-started': new Set<string>() };
    for (let round = 0; round < 20; round += 1) {
      const status = round % 2 === 0 ? 'needs-reply' : 'not-started';
      for (const to of campaign.deal(names(2), [status])) byStatus[status].add(to);
    }
    expect(Object.values(byStatus).map(({ size }) => size)).toEqual([2, 2]);
    expect(campaign.receivedBy(names(2))).toEqual([10, 10]);
  });

  it('goes to the first in the order of joining when no one has a credit, and a newcomer starts without one', () => {
    const campaign = new Campaign();
    expect(campaign.deal(names(3), ['closed'])).toEqual(['t1']);
    expect(campaign.deal(names(4), ['closed', 'closed'])).toEqual(['t2', 't3']);
    expect(campaign.deal(names(4), ['closed'])).toEqual(['t4']);
  });

  it('is the same after a deal that moved nothing', () => {
    const campaign = new Campaign();
    campaign.deal(names(3), ['closed']);
    const before = campaign.credits;
    campaign.deal(names(3), []);
    expect(campaign.credits).toEqual(before);
  });
});

describe('credits', () => {
  const status = fc.constantFrom(...STATUSES);
  const statuses = fc
    .array(status, { maxLength: 60 })
    .map((some) => some.sort((a, b) => STATUSES.indexOf(a) - STATUSES.indexOf(b)));

  /** Random counts, targets and absences: each deal has its own subset of the texters. */
  const rounds = (texters: number, deals: number) =>
    fc.array(fc.record({ targets: fc.subarray(names(texters), { minLength: 1 }), statuses }), {
      minLength: deals,
      maxLength: deals,
    });

  it.each([
    [2, 2],
    [5, 2.5],
    [20, 3],
    [50, 3],
  ])('of %i texters stay within %d over 300 random deals', (texters, bound) => {
    fc.assert(
      fc.property(rounds(texters, 300), (deals) => {
        const campaign = new Campaign();
        for (const { targets, statuses: some } of deals) campaign.deal(targets, some);
        expect(campaign.drift).toBeLessThanOrEqual(bound);
      }),
      { numRuns: 20 },
    );
  });

  it('are the exact shares minus what was received', () => {
    fc.assert(
      fc.property(rounds(6, 30), (deals) => {
        const campaign = new Campaign();
        for (const { targets, statuses: some } of deals) campaign.deal(targets, some);
        const largest = Math.max(0, ...campaign.credits.map(({ credit }) => Math.abs(credit)));
        expect(largest).toBeCloseTo(campaign.drift, 5);
      }),
      { numRuns: 20 },
    );
  });

  it('of a level deal count only the rounding, and not the conversations that level the loads', () => {
    const campaign = new Campaign();
    campaign.deal(names(3), repeat(5, 'closed'), 'level', [4, 0, 0]);
    expect(campaign.credits).toEqual([
      { texterId: 't2', status: 'closed', credit: -0.5 },
      { texterId: 't3', status: 'closed', credit: 0.5 },
    ]);
  });

  it('ignore targets that were paused during the deal', () => {
    const plan = { targets: names(3), spread: 'even', loads: [0, 0, 0] };
    const moves = ['t1', 't2', 't2'].map((to): MoveCount => ({ from: null, to, status: 'closed', count: 1 }));
    expect(creditsAfter([], plan, moves, new Set(['t3']))).toEqual([
      { texterId: 't1', status: 'closed', credit: 0.5 },
      { texterId: 't2', status: 'closed', credit: -0.5 },
    ]);
  });

  it('of targets that are sources too count the targets that compete for the remainder', () => {
    const plan = { targets: names(4), spread: 'even', loads: [3, 1, 1, 9], shares: [3, 3, 2, 9] };
    const moves = [
      { from: null, to: 't2', status: 'closed', count: 2 },
      { from: null, to: 't3', status: 'closed', count: 1 },
    ] as const;
    expect(creditsAfter([], plan, moves, NO_ONE)).toEqual([
      { texterId: 't2', status: 'closed', credit: -0.5 },
      { texterId: 't3', status: 'closed', credit: 0.5 },
    ]);
  });
});
