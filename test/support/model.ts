import type { SkipReason } from '../../src/domain/receipt.ts';
import type { SelfAssignSettings } from '../../src/campaigns/campaign.ts';
import type { Assignee, Status } from '../../src/domain/conversation.ts';
import type { RefusalCode } from '../../src/domain/errors.ts';
import type { AnyRequest } from './send.ts';

/**
 * What Baton promises, written a second time, as plainly as can be: everything in memory, one operation after the other.
 * It shares no rule with the code it is held against, only the names of types.
 */

const ORDER: readonly Status[] = ['needs-reply', 'not-started', 'in-progress', 'awaiting-contact', 'closed'];

export interface ModelTexter {
  readonly texterId: string;
  readonly joinedOrder: number;
  active: boolean;
}

export interface ModelConversation {
  readonly id: string;
  assigneeId: Assignee;
  status: Status;
  waitingSince: number;
  optedOut: boolean;
  /** The operation that moved it last. */
  lastMovedBy: string | null;
}

export interface ExpectedMove {
  readonly id: string;
  readonly from: Assignee;
  readonly to: Assignee;
  readonly status: Status;
}

/** A texter's claim, with what it has been given so far. */
export interface ModelClaim {
  readonly operationId: string;
  readonly texterId: string;
  readonly count: number | null;
  readonly waits: boolean;
  readonly granted: readonly string[];
}

/** What an operation must come to. */
export interface Expectation {
  /** Not empty: it must be refused, with one of these. */
  readonly refusals: readonly RefusalCode[];
  /** Everything that was looked at and counts, batch by batch, in the order of selection. */
  readonly batches: readonly (readonly string[])[];
  readonly moves: readonly ExpectedMove[];
  readonly skips: ReadonlyMap<string, SkipReason>;
  /** Who the campaign's next dealing begins with; `null` leaves it as it is. */
  readonly nextJoinedOrder: number | null;
}

/** What an operation that ended, or a claim, has moved, batch by batch. */
export type Past = readonly (readonly ExpectedMove[])[];

interface Deal {
  readonly take: readonly ModelConversation[];
  readonly targets: readonly ModelTexter[];
  readonly level: boolean;
  readonly count: number;
}

export class Model {
  readonly texters: readonly ModelTexter[];
  readonly conversations: Map<string, ModelConversation>;
  rules: SelfAssignSettings;
  /** In the order in which they began to wait. */
  waiting: readonly ModelClaim[] = [];
  nextJoinedOrder = 0;
  closed = false;
  /** Everything that was asked for and has ended, oldest first. */
  past = new Map<string, Past>();
  /** Of those, the ones that were cancelled. */
  cancelled = new Set<string>();
  readonly batchMax: number;

  constructor(
    of: Pick<Model, 'texters' | 'rules' | 'batchMax'> & { readonly conversations: Iterable<ModelConversation> },
  ) {
    this.batchMax = of.batchMax;
    this.texters = of.texters.map((texter) => ({ ...texter }));
    this.conversations = new Map([...of.conversations].map((each) => [each.id, { ...each }]));
    this.rules = of.rules;
  }

  clone(): Model {
    const { texters, rules, batchMax, waiting, nextJoinedOrder, closed, past, cancelled } = this;
    const copy = new Model({ texters, rules, batchMax, conversations: this.conversations.values() });
    return Object.assign(copy, { waiting, nextJoinedOrder, closed, past: new Map(past), cancelled });
  }

  expect(request: AnyRequest): Expectation {
    switch (request.kind) {
      case 'reassign': {
        const refusals = this.refusalsOfReassign(request);
        if (refusals.length > 0) return refusedBy(refusals);
        const take = this.select(this.sources(request.from), request.status);
        const targets = this.targets(request);
        return this.deal({ take, targets, level: request.spread === 'level', count: request.count ?? Infinity });
      }
      case 'unassign':
        return this.expectUnassign(request);
      case 'reassign-one':
      case 'unassign-one':
        return this.expectOne(request);
      case 'undo':
        return this.expectUndo(request);
    }
  }

  /** Makes it so. */
  apply(operationId: string, { batches, moves, nextJoinedOrder }: Expectation): void {
    for (const move of moves) this.move(operationId, move);
    if (nextJoinedOrder !== null) this.nextJoinedOrder = nextJoinedOrder;
    const moved = batches.map((ids) => moves.filter(({ id }) => ids.includes(id)));
    this.past.set(operationId, moved);
  }

  move(operationId: string, { id, to }: Pick<ExpectedMove, 'id' | 'to'>): void {
    Object.assign(this.conversation(id), { assigneeId: to, lastMovedBy: operationId });
  }

  inBatches<Item>(items: readonly Item[]): Item[][] {
    const count = Math.ceil(items.length / this.batchMax);
    return Array.from({ length: count }, (_, at) => items.slice(at * this.batchMax, (at + 1) * this.batchMax));
  }

  conversation(id: string): ModelConversation {
    const found = this.conversations.get(id);
    if (!found) throw new Error(`expected a conversation of the model, got ${id}`);
    return found;
  }

  /** In the order of selection. */
  select(assignees: readonly Assignee[], status: Status | 'any'): ModelConversation[] {
    return [...this.conversations.values()]
      .filter((each) => assignees.includes(each.assigneeId) && (status === 'any' || each.status === status))
      .sort(
        (a, b) =>
          ORDER.indexOf(a.status) - ORDER.indexOf(b.status) ||
          a.waitingSince - b.waitingSince ||
          (a.id < b.id ? -1 : 1),
      );
  }

  private sources(from: 'pool' | 'everyone' | { readonly texterIds: readonly string[] }): Assignee[] {
    if (from === 'pool') return [null];
    if (from === 'everyone') return [null, ...this.texters.map(({ texterId }) => texterId)];
    return [...from.texterIds];
  }

  private targets({ from, to }: AnyRequest & { kind: 'reassign' }): ModelTexter[] {
    const named = typeof from === 'string' ? [] : from.texterIds;
    if (to === 'everyone') return this.texters.filter((each) => each.active && !named.includes(each.texterId));
    return this.texters.filter(({ texterId }) => to.texterIds.includes(texterId));
  }

  private refusalsOfReassign(request: AnyRequest & { kind: 'reassign' }): RefusalCode[] {
    const { from, to } = request;
    const named = typeof from === 'string' ? [] : from.texterIds;
    const refusals = this.refusalsOfTargets(to === 'everyone' ? [] : to.texterIds);
    if (this.closed) refusals.push('campaign-closed');
    if (this.targets(request).length === 0) refusals.push('no-targets');
    if (named.some((id) => !this.texter(id))) refusals.push('unknown-texter');
    if (to !== 'everyone' && isOne(named, to.texterIds)) refusals.push('same-source-and-target');
    return refusals;
  }

  private refusalsOfTargets(named: readonly string[]): RefusalCode[] {
    return named.flatMap((id) => {
      const texter = this.texter(id);
      return texter ? (texter.active ? [] : ['target-inactive' as const]) : ['unknown-texter' as const];
    });
  }

  texter(id: string): ModelTexter | undefined {
    return this.texters.find(({ texterId }) => texterId === id);
  }

  private expectUnassign(request: AnyRequest & { kind: 'unassign' }): Expectation {
    const { from, status, count, confirm } = request;
    const assignees = from === 'everyone' ? this.texters.map(({ texterId }) => texterId) : from.texterIds;
    if (assignees.some((id) => !this.texter(id))) return refusedBy(['unknown-texter']);
    const found = this.select(assignees, status);
    if (count === undefined && confirm === undefined) return refusedBy(['confirmation-needed']);
    if (count === undefined && found.length > (confirm ?? 0)) return refusedBy(['confirmation-drifted']);
    const released = found.slice(0, count ?? found.length);
    return {
      ...nothing,
      batches: this.inBatches(released.map(({ id }) => id)),
      moves: released.map(({ id, assigneeId, status: was }) => ({ id, from: assigneeId, to: null, status: was })),
    };
  }

  private expectOne(request: AnyRequest & { kind: 'reassign-one' | 'unassign-one' }): Expectation {
    const found = this.conversations.get(request.conversationId);
    const to = request.kind === 'reassign-one' ? request.to.texterIds[0] : null;
    const refusals = to === null ? [] : this.refusalsOfTargets([to]);
    if (this.closed && to !== null) refusals.push('campaign-closed');
    if (!found) refusals.push('unknown-conversation');
    if (!found || refusals.length > 0) return refusedBy(refusals);
    const batches = [[found.id]];
    const skip = (reason: SkipReason): Expectation => ({ ...nothing, batches, skips: new Map([[found.id, reason]]) });
    const { expectedAssigneeId } = request;
    if (expectedAssigneeId !== undefined && expectedAssigneeId !== found.assigneeId) return skip('assignee-changed');
    if (found.optedOut && to !== null) return skip('opted-out');
    if (found.assigneeId === to) return skip('already-there');
    return { ...nothing, batches, moves: [{ id: found.id, from: found.assigneeId, to, status: found.status }] };
  }

  /** What it moved, and was moved by nothing since, goes back to where it was, if it may be given there. */
  private expectUndo({ undoes }: AnyRequest & { kind: 'undo' }): Expectation {
    if (this.waiting.some(({ operationId: claimId }) => claimId === undoes)) return refusedBy(['operation-running']);
    const past = this.past.get(undoes);
    if (!past) return refusedBy(['unknown-operation']);
    if (this.closed && past.flat().some(({ from }) => from !== null)) return refusedBy(['campaign-closed']);
    const moves: ExpectedMove[] = [];
    const skips = new Map<string, SkipReason>();
    for (const { id, from, to } of past.flat()) {
      const { lastMovedBy, optedOut, status } = this.conversation(id);
      if (lastMovedBy !== undoes) skips.set(id, 'assignee-changed');
      else if (from !== null && optedOut) skips.set(id, 'opted-out');
      else if (from !== null && !this.texter(from)?.active) skips.set(id, 'target-inactive');
      else moves.push({ id, from: to, to: from, status });
    }
    return { ...nothing, batches: past.map((batch) => batch.map(({ id }) => id)), moves, skips };
  }

  private deal({ take, targets, level, count }: Deal): Expectation {
    const order = this.rotated(targets);
    const has = new Map(order.map(({ texterId }) => [texterId, level ? this.holds(texterId) : 0]));
    const next = (): string => leastOf(order, has);
    const selected: string[] = [];
    const moves: ExpectedMove[] = [];
    const skips = new Map<string, SkipReason>();
    for (const { id, assigneeId, status, optedOut } of take) {
      if (moves.length >= count) break;
      selected.push(id);
      if (optedOut) {
        skips.set(id, 'opted-out');
        continue;
      }
      if (level && assigneeId !== null && has.has(assigneeId)) has.set(assigneeId, (has.get(assigneeId) ?? 0) - 1);
      const to = next();
      has.set(to, (has.get(to) ?? 0) + 1);
      if (to === assigneeId) skips.set(id, 'already-there');
      else moves.push({ id, from: assigneeId, to, status });
    }
    const upNext = order.length < 2 ? null : (this.texter(next())?.joinedOrder ?? null);
    return { ...nothing, batches: this.inBatches(selected), moves, skips, nextJoinedOrder: upNext };
  }

  /** As they joined, beginning with the first that joined at the pointer or after it. */
  private rotated(targets: readonly ModelTexter[]): ModelTexter[] {
    const joined = [...targets].sort((a, b) => a.joinedOrder - b.joinedOrder);
    const later = joined.filter(({ joinedOrder }) => joinedOrder >= this.nextJoinedOrder);
    return [...later, ...joined.filter((each) => !later.includes(each))];
  }

  private holds(texterId: string): number {
    return [...this.conversations.values()].filter(({ assigneeId }) => assigneeId === texterId).length;
  }
}

const nothing: Expectation = { refusals: [], batches: [], moves: [], skips: new Map(), nextJoinedOrder: null };

function refusedBy(refusals: readonly RefusalCode[]): Expectation {
  return { ...nothing, refusals };
}

function isOne(sources: readonly string[], targets: readonly string[]): boolean {
  return new Set(sources).size === 1 && new Set([...sources, ...targets]).size === 1 && targets.length > 0;
}

/** The first in order among those that have the fewest. */
function leastOf(order: readonly ModelTexter[], has: ReadonlyMap<string, number>): string {
  const fewest = Math.min(...has.values());
  return order.find(({ texterId }) => has.get(texterId) === fewest)?.texterId ?? '';
}
