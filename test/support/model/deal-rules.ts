import type { Status } from '../../../src/domain/conversation.ts';
import type { SkipReason } from '../../../src/domain/receipt.ts';
import { creditKeyOf, creditsAfterDeal } from './credit-rules.ts';
import {
  NOTHING,
  type Expectation,
  type ExpectedMove,
  type Model,
  type ModelConversation,
  type ModelTexter,
} from './model.ts';

export interface Deal {
  readonly selected: readonly ModelConversation[];
  readonly targets: readonly ModelTexter[];
  readonly level: boolean;
  /** The statuses of the request. */
  readonly statuses: readonly Status[];
  readonly count: number;
}

/** Returns the moves of a reassign whose targets are no sources. */
export function deal(model: Model, { selected, targets, level, count }: Deal): Expectation {
  const order = inOrderOfJoining(targets);
  const before = order.map(({ texterId }) => ({ texterId, before: level ? model.loadOf(texterId) : 0 }));
  const loads = new Map(before.map(({ texterId, before: load }) => [texterId, load]));
  const handled: string[] = [];
  const moves: ExpectedMove[] = [];
  const skips = new Map<string, SkipReason>();
  for (const { id, assigneeId, status, optedOut } of selected) {
    if (moves.length >= count) break;
    handled.push(id);
    if (optedOut) {
      skips.set(id, 'opted-out');
      continue;
    }
    const to = nextTarget(model, order, loads, status);
    loads.set(to, (loads.get(to) ?? 0) + 1);
    moves.push({ id, from: assigneeId, to, status });
  }
  const credits = order.length < 2 ? null : creditsAfterDeal(model, before, moves, false);
  return { ...NOTHING, batches: model.inBatches(handled), moves, skips, credits };
}

function inOrderOfJoining(targets: readonly ModelTexter[]): ModelTexter[] {
  return [...targets].sort((a, b) => a.joinedOrder - b.joinedOrder);
}

/** The lowest load, then the largest credit, then the order of joining. */
function nextTarget(
  model: Model,
  order: readonly ModelTexter[],
  loads: ReadonlyMap<string, number>,
  status: Status,
): string {
  const lowest = Math.min(...loads.values());
  const equals = order.filter(({ texterId }) => loads.get(texterId) === lowest);
  return largestCredit(equals, ({ texterId }) => model.creditOf(creditKeyOf(texterId, status)))?.texterId ?? '';
}

function largestCredit<Item>(items: readonly Item[], creditOf: (item: Item) => number): Item | undefined {
  const largest = Math.max(...items.map(creditOf));
  return items.find((item) => creditOf(item) > largest - 0.000_001);
}

/** A target that is a source too. */
interface Account {
  readonly texterId: string;
  readonly before: number;
  /** The load in the end. */
  readonly share: number;
  /** The load now. */
  load: number;
}

/**
 * Returns the moves of a reassign whose targets are sources too. Sources that are no targets give everything, in the order
 * of selection. Then the targets give what they have above their shares, in the opposite order.
 */
export function dealSurplus(model: Model, asked: Deal): Expectation {
  const order = inOrderOfJoining(asked.targets);
  const accounts = accountsOf(model, asked, order);
  const accountOf = ({ assigneeId }: ModelConversation) => accounts.find(({ texterId }) => texterId === assigneeId);
  const others = asked.selected.filter((each) => !accountOf(each));
  const own = asked.selected.filter(accountOf).reverse();
  const handled: string[] = [];
  const moves: ExpectedMove[] = [];
  const skips = new Map<string, SkipReason>();
  for (const each of [...others, ...own]) {
    const giver = accountOf(each);
    if (moves.length >= asked.count) break;
    if (giver && giver.load <= giver.share) continue;
    handled.push(each.id);
    if (each.optedOut) {
      skips.set(each.id, 'opted-out');
      continue;
    }
    const receiver = nextReceiver(model, accounts, asked.level, each.status);
    receiver.load += 1;
    if (giver) giver.load -= 1;
    moves.push({ id: each.id, from: each.assigneeId, to: receiver.texterId, status: each.status });
  }
  const lowest = Math.min(...accounts.map(({ share }) => share));
  const receivers = accounts.filter(({ before }) => before <= lowest);
  const credits = order.length < 2 ? null : creditsAfterDeal(model, receivers, moves, !asked.level);
  return { ...NOTHING, batches: model.inBatches(handled), moves, skips, credits };
}

/**
 * Imagine that all conversations that can move lie in one heap, and that they are given out one by one, each to the target
 * with the fewest. Among equals, a target that had more before comes first, and then the one with the largest credit.
 */
function accountsOf(model: Model, { selected, level, statuses }: Deal, order: readonly ModelTexter[]): Account[] {
  const heaps = order.map(({ texterId }) => {
    const own = selected.filter(({ assigneeId, optedOut }) => assigneeId === texterId && !optedOut);
    const before = level ? model.loadOf(texterId) : own.length;
    return { texterId, before, share: before - own.length };
  });
  for (const { optedOut } of selected) {
    if (optedOut) continue;
    const fewest = Math.min(...heaps.map(({ share }) => share));
    const equals = heaps.filter(({ share }) => share === fewest);
    const creditOf = ({ texterId }: { readonly texterId: string }): number =>
      statuses.reduce((sum, status) => sum + model.creditOf(creditKeyOf(texterId, status)), 0);
    const next = equals.find(({ before }) => before > fewest) ?? largestCredit(equals, creditOf);
    if (next) next.share += 1;
  }
  return heaps.map((heap) => ({ ...heap, load: heap.before }));
}

/**
 * Level: the one with the fewest. Even: the one that has received the smallest part of what it is to receive. Of equals, the
 * one with the largest credit.
 */
function nextReceiver(model: Model, accounts: readonly Account[], level: boolean, status: Status): Account {
  const measure = ({ before, share, load }: Account): number =>
    level ? load : (2 * (load - before) + 1) / (2 * (share - before));
  const open = accounts.filter(({ share, load }) => load < share);
  const lowest = Math.min(...open.map(measure));
  const equals = open.filter((each) => measure(each) === lowest);
  const first = largestCredit(equals, ({ texterId }) => model.creditOf(creditKeyOf(texterId, status)));
  if (!first) throw new Error('more conversations move than the targets can receive');
  return first;
}
