import type { SelfAssignSettings } from '../../../src/campaigns/campaign.ts';
import type { Assignee, Status } from '../../../src/domain/conversation.ts';
import type { SkipReason } from '../../../src/domain/receipt.ts';
import type { RefusalCode } from '../../../src/domain/errors.ts';

/**
 * A campaign in memory, with a second implementation of the rules of Baton: plain, and one operation after the other. The
 * model tests compare the database with it. It shares types with the real code, but no rules.
 */

export const ORDER: readonly Status[] = ['needs-reply', 'not-started', 'in-progress', 'awaiting-contact', 'closed'];

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
  lastOperationId: string | null;
}

export interface ExpectedMove {
  readonly id: string;
  readonly from: Assignee;
  readonly to: Assignee;
  readonly status: Status;
}

export interface ModelClaim {
  readonly operationId: string;
  readonly texterId: string;
  readonly count: number | null;
  readonly waits: boolean;
  /** The conversations granted so far. */
  readonly granted: readonly string[];
}

/** The expected result of an operation. */
export interface Expectation {
  /** If not empty, the operation must be refused with one of these codes. */
  readonly refusals: readonly RefusalCode[];
  /** The selected conversations by batch, in the order of selection. */
  readonly batches: readonly (readonly string[])[];
  readonly moves: readonly ExpectedMove[];
  readonly skips: ReadonlyMap<string, SkipReason>;
  /** The credits of the campaign's texters afterwards. `null` leaves them unchanged. */
  readonly credits: ReadonlyMap<string, number> | null;
}

export const NOTHING: Expectation = { refusals: [], batches: [], moves: [], skips: new Map(), credits: null };

/** The moves of an operation that has ended, by batch. */
export type PastMoves = readonly (readonly ExpectedMove[])[];

export class Model {
  readonly texters: readonly ModelTexter[];
  readonly conversations: Map<string, ModelConversation>;
  rules: SelfAssignSettings;
  /** The waiting claims, in their order of arrival. */
  waiting: readonly ModelClaim[] = [];
  /** By texter and status: see `creditKeyOf`. A missing credit is zero. */
  credits: ReadonlyMap<string, number> = new Map();
  closed = false;
  /** The operations and claims that have ended, oldest first. */
  past = new Map<string, PastMoves>();
  /** The ids of those in `past` that were cancelled. */
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
    const { texters, rules, batchMax, waiting, credits, closed, past, cancelled } = this;
    const copy = new Model({ texters, rules, batchMax, conversations: this.conversations.values() });
    return Object.assign(copy, { waiting, credits, closed, past: new Map(past), cancelled });
  }

  /** Makes the moves of an operation and records the operation as ended. */
  apply(operationId: string, { batches, moves, credits }: Expectation): void {
    for (const move of moves) this.move(operationId, move);
    if (credits !== null) this.credits = credits;
    const moved = batches.map((ids) => moves.filter(({ id }) => ids.includes(id)));
    this.past.set(operationId, moved);
  }

  move(operationId: string, { id, to }: Pick<ExpectedMove, 'id' | 'to'>): void {
    Object.assign(this.conversation(id), { assigneeId: to, lastOperationId: operationId });
  }

  inBatches<Item>(items: readonly Item[]): Item[][] {
    const count = Math.ceil(items.length / this.batchMax);
    return Array.from({ length: count }, (_, at) => items.slice(at * this.batchMax, (at + 1) * this.batchMax));
  }

  conversation(id: string): ModelConversation {
    const found = this.conversations.get(id);
    if (!found) throw new Error(`conversation ${id} is not in the model`);
    return found;
  }

  texter(id: string): ModelTexter | undefined {
    return this.texters.find(({ texterId }) => texterId === id);
  }

  creditOf(key: string): number {
    return this.credits.get(key) ?? 0;
  }

  loadOf(texterId: string): number {
    return [...this.conversations.values()].filter((each) => each.assigneeId === texterId && !each.optedOut).length;
  }

  /** Returns the conversations of these assignees in the order of selection. */
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
}
