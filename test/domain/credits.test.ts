import { describe, expect, it } from 'vitest';
import { STATUSES, type Status } from '../../src/domain/conversation.ts';
import { creditsAfter, creditsOf, type Credit } from '../../src/domain/credits.ts';
import { Dealer } from '../../src/domain/dealing.ts';
import type { Spread } from '../../src/domain/operation.ts';
import type { MoveCount } from '../../src/domain/receipt.ts';
import { Random } from '../support/random.ts';

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

  /** The same for all statuses together. */
  get totalDrift(): number {
    const totals = new Map<string, number>();
    for (const [key, owed] of this.owed) add(totals, key.split(' ')[0] ?? '', owed);
    return Math.max(0, ...[...totals.values()].map(Math.abs));
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

/** Random targets, absences, counts and statuses: half of the deals are of one status. */
function dealAtRandom(texters: number, deals: number, seed: number): Campaign {
  const random = new Random(seed);
  const campaign = new Campaign();
  for (let deal = 0; deal < deals; deal += 1) {
    const present = names(texters).filter(() => random.chance(0.7));
    const statuses = random.chance(0.5) ? [random.pick(STATUSES)] : STATUSES;
    const dealt = statuses.flatMap((status) => repeat(random.between(0, 20), status));
    campaign.deal(present.length > 0 ? present : names(1), dealt);
  }
  return campaign;
}

describe('credits', () => {
  const DEALS = 500;
  /** How far a texter's credit for one status, and for all statuses together, is from zero at most. */
  const STATUS_DRIFT_MAX = 3;
  const TOTAL_DRIFT_MAX = 5;

  it.each([2, 5, 20, 50])('of %i texters stay near zero, whatever the targets, counts and absences', (texters) => {
    for (const seed of [1, 2, 3]) {
      const { drift, totalDrift } = dealAtRandom(texters, DEALS, seed);
      expect(drift).toBeLessThanOrEqual(STATUS_DRIFT_MAX);
      expect(totalDrift).toBeLessThanOrEqual(TOTAL_DRIFT_MAX);
    }
  });

  it('are the exact shares minus what was received', () => {
    const { credits, drift } = dealAtRandom(6, 100, 4);
    expect(Math.max(0, ...credits.map(({ credit }) => Math.abs(credit)))).toBeCloseTo(drift, 5);
  });

  it('of a level deal count only the rounding, and not the conversations that level the loads', () => {
    const campaign = new Campaign();
    campaign.deal(names(3), repeat(5, 'closed'), 'level', [4, 0, 0]);
    expect(campaign.credits).toEqual([
      { texterId: 't2', status: 'closed', credit: -0.5 },
      { texterId: 't3', status: 'closed', credit: 0.5 },
    ]);
  });

  it('of targets that give and receive are shared out for each status by what the receivers get in all', () => {
    const plan = { targets: names(3), spread: 'even', loads: [9, 1, 3], shares: [5, 4, 4] };
    const moves = [
      { from: 't1', to: 't2', status: 'not-started', count: 2 },
      { from: 't1', to: 't2', status: 'closed', count: 1 },
      { from: 't1', to: 't3', status: 'closed', count: 1 },
    ] as const;
    expect(creditsAfter([], plan, moves, NO_ONE)).toEqual([
      { texterId: 't2', status: 'not-started', credit: -0.5 },
      { texterId: 't3', status: 'not-started', credit: 0.5 },
      { texterId: 't2', status: 'closed', credit: 0.5 },
      { texterId: 't3', status: 'closed', credit: -0.5 },
    ]);
  });

  it.each([2, 5, 10, 20])('of %i texters are gone when each has received its exact share', (count) => {
    const campaign = new Campaign();
    for (let deal = 0; deal < count; deal += 1) campaign.deal(names(count), ['closed']);
    expect(campaign.credits).toEqual([]);
  });

  it('that differ only by the rounding of sums are equal, so that the first in the order of joining goes first', () => {
    const credits = [{ status: 'closed' as const, credits: [0.3, 0.1 + 0.2] }];
    const dealer = new Dealer({ targets: names(2), spread: 'even', loads: [0, 0], credits });
    expect(dealer.deal({ assigneeId: null, status: 'closed' })).toBe('t1');
  });

  it('ignore targets that were paused during the deal', () => {
    const plan = { targets: names(3), spread: 'even', loads: [0, 0, 0] };
    const moves = ['t1', 't2', 't2'].map((to): MoveCount => ({ from: null, to, status: 'closed', count: 1 }));
    expect(creditsAfter([], plan, moves, new Set(['t3']))).toEqual([
      { texterId: 't1', status: 'closed', credit: 0.5 },
      { texterId: 't2', status: 'closed', credit: -0.5 },
    ]);
  });

  it('ignore a target that was paused for a part of the deal', () => {
    const plan = { targets: names(3), spread: 'even', loads: [0, 0, 0] };
    const counts = [2, 149, 150];
    const moves = counts.map((count, at): MoveCount => ({ from: null, to: `t${at + 1}`, status: 'closed', count }));
    expect(creditsAfter([], plan, moves, NO_ONE)).toEqual([
      { texterId: 't2', status: 'closed', credit: 0.5 },
      { texterId: 't3', status: 'closed', credit: -0.5 },
    ]);
  });

  it('count a target that received up to two conversations less than its share, as remainders of several statuses can be', () => {
    const plan = { targets: names(3), spread: 'even', loads: [0, 0, 0] };
    const statuses = ['needs-reply', 'not-started', 'closed'] as const;
    const moves = statuses.flatMap((status) => ['t1', 't2'].map((to) => ({ from: null, to, status, count: 1 })));
    const behind = creditsAfter([], plan, moves, NO_ONE).filter(({ texterId }) => texterId === 't3');
    expect(behind.map(({ credit }) => credit)).toEqual(repeat(3, expect.closeTo(2 / 3)));
  });

  it('ignore a target that received three conversations less than its share', () => {
    const plan = { targets: names(3), spread: 'even', loads: [0, 0, 0] };
    const moves = [5, 4].map((count, at): MoveCount => ({ from: null, to: `t${at + 1}`, status: 'closed', count }));
    expect(creditsAfter([], plan, moves, NO_ONE)).toEqual([
      { texterId: 't1', status: 'closed', credit: -0.5 },
      { texterId: 't2', status: 'closed', credit: 0.5 },
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
