import type { ClaimReply, ForwardedClaim } from './contract.ts';

/** How many entries one call of `serve` gets. Claims that do not fit into its transaction stay for the next round. */
const ROUND_ENTRIES_MAX = 100;
/** A limited round still gets this many entries. */
const ROUND_ENTRIES_MIN = 10;

/**
 * The entries of one campaign at a coordinator: those of the next round, and behind them the local entries that no round has
 * room for yet.
 */
export class ClaimBacklog {
  private round: readonly ForwardedClaim[] = [];
  private local: readonly ForwardedClaim[] = [];
  private entriesMax = ROUND_ENTRIES_MAX;

  /**
   * The entries of the next round, in order. After a round that had no room for all of its entries, at most twice as many as it
   * served: a round reads the loads of all its texters, so entries that it cannot serve delay the others.
   */
  get nextRound(): readonly ForwardedClaim[] {
    return this.round.slice(0, this.entriesMax);
  }

  get all(): readonly ForwardedClaim[] {
    return [...this.round, ...this.local];
  }

  /**
   * How many forwarded entries the next round has room for. When there are many entries, local and forwarded entries get
   * half of the free places each, so that neither starves.
   */
  get forwardedMax(): number {
    const free = Math.max(0, ROUND_ENTRIES_MAX - this.round.length);
    return Math.max(Math.ceil(free / 2), free - this.local.length);
  }

  has(entry: ForwardedClaim): boolean {
    return this.all.some((other) => isSame(entry, other));
  }

  addLocal(entry: ForwardedClaim): void {
    this.local = [...this.local, entry];
  }

  /** Removes the first `count` entries and returns them. */
  take(count: number): readonly ForwardedClaim[] {
    const taken = this.all.slice(0, count);
    this.local = this.local.slice(Math.max(0, count - this.round.length));
    this.round = this.round.slice(count);
    return taken;
  }

  /** Fills the next round: with the forwarded entries, except for repetitions, and then with local entries. */
  fillRound(forwarded: readonly ForwardedClaim[]): void {
    for (const entry of forwarded) {
      if (!this.round.some((other) => isSame(entry, other))) this.round = [...this.round, entry];
    }
    const free = Math.max(0, ROUND_ENTRIES_MAX - this.round.length);
    this.round = [...this.round, ...this.local.slice(0, free)];
    this.local = this.local.slice(free);
  }

  /** Removes the entries of the round that have a reply. Returns each reply with the coordinator that waits for it. */
  takeAnswered(
    served: readonly ForwardedClaim[],
    replies: ReadonlyMap<string, ClaimReply>,
  ): { readonly coordinatorId: string; readonly reply: ClaimReply }[] {
    this.limitNext(served, replies);
    const answered = this.round.flatMap(({ coordinatorId, id }) => {
      const reply = replies.get(id);
      return reply ? [{ coordinatorId, reply }] : [];
    });
    this.round = this.round.filter(({ id }) => !replies.has(id));
    return answered;
  }

  /** A round that failed does not say how many entries it had room for. */
  private limitNext(served: readonly ForwardedClaim[], replies: ReadonlyMap<string, ClaimReply>): void {
    if ([...replies.values()].some(({ failure }) => failure !== undefined)) return;
    const answered = served.filter(({ id }) => replies.has(id)).length;
    const max = 2 * (answered === served.length ? this.entriesMax : answered);
    this.entriesMax = Math.min(ROUND_ENTRIES_MAX, Math.max(ROUND_ENTRIES_MIN, max));
  }
}

function isSame(one: ForwardedClaim, other: ForwardedClaim): boolean {
  return one.coordinatorId === other.coordinatorId && one.id === other.id;
}
