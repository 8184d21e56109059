import type { SkipReason } from '../../../src/domain/receipt.ts';
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
  readonly count: number;
}

/** Returns the moves of a reassign whose targets are no sources. */
export function deal(model: Model, { selected, targets, level, count }: Deal): Expectation {
  const order = dealingOrder(model, targets);
  const loads = new Map(order.map(({ texterId }) => [texterId, level ? model.loadOf(texterId) : 0]));
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
    const to = firstWithLowestLoad(order, loads);
    loads.set(to, (loads.get(to) ?? 0) + 1);
    moves.push({ id, from: assigneeId, to, status });
  }
  const next = order.length < 2 ? null : (model.texter(firstWithLowestLoad(order, loads))?.joinedOrder ?? null);
  return { ...NOTHING, batches: model.inBatches(handled), moves, skips, nextJoinedOrder: next };
}

/** Returns the targets in the order in which they joined, from the stored place on. */
function dealingOrder(model: Model, targets: readonly ModelTexter[]): ModelTexter[] {
  const joined = [...targets].sort((a, b) => a.joinedOrder - b.joinedOrder);
  const later = joined.filter(({ joinedOrder }) => joinedOrder >= model.nextJoinedOrder);
  return [...later, ...joined.filter((each) => !later.includes(each))];
}

function firstWithLowestLoad(order: readonly ModelTexter[], loads: ReadonlyMap<string, number>): string {
  const lowest = Math.min(...loads.values());
  return order.find(({ texterId }) => loads.get(texterId) === lowest)?.texterId ?? '';
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
  const order = dealingOrder(model, asked.targets);
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
    const receiver = nextReceiver(accounts, asked.level);
    receiver.load += 1;
    if (giver) giver.load -= 1;
    moves.push({ id: each.id, from: each.assigneeId, to: receiver.texterId, status: each.status });
  }
  const loads = new Map(accounts.map(({ texterId, load }) => [texterId, load]));
  const next = order.length < 2 || moves.length === 0 ? undefined : model.texter(firstWithLowestLoad(order, loads));
  return { ...NOTHING, batches: model.inBatches(handled), moves, skips, nextJoinedOrder: next?.joinedOrder ?? null };
}

/**
 * Imagine that all conversations that can move lie in one heap, and that they are given out one by one, each to the target
 * with the fewest. Among equals, a target that had more before comes first.
 */
function accountsOf(model: Model, { selected, level }: Deal, order: readonly ModelTexter[]): Account[] {
  const heaps = order.map(({ texterId }) => {
    const own = selected.filter(({ assigneeId, optedOut }) => assigneeId === texterId && !optedOut);
    const before = level ? model.loadOf(texterId) : own.length;
    return { texterId, before, share: before - own.length };
  });
  for (const { optedOut } of selected) {
    if (optedOut) continue;
    const fewest = Math.min(...heaps.map(({ share }) => share));
    const equals = heaps.filter(({ share }) => share === fewest);
    const next = equals.find(({ before }) => before > fewest) ?? equals[0];
    if (next) next.share += 1;
  }
  return heaps.map((heap) => ({ ...heap, load: heap.before }));
}

/** Level: the one with the fewest. Even: the one that has received the smallest part of what it is to receive. */
function nextReceiver(accounts: readonly Account[], level: boolean): Account {
  const measure = ({ before, share, load }: Account): number =>
    level ? load : (2 * (load - before) + 1) / (2 * (share - before));
  const open = accounts.filter(({ share, load }) => load < share);
  const [first] = open.toSorted((a, b) => measure(a) - measure(b));
  if (!first) throw new Error('more conversations move than the targets can receive');
  return first;
}
