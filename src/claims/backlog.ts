import type { ClaimReply, ForwardedClaim } from './messages.ts';

/** One campaign's claims and looks at a coordinator: in hand what has been taken up, and behind it what nobody has taken up. */
export class ClaimBacklog {
  private hand: readonly ForwardedClaim[] = [];
  private untaken: readonly ForwardedClaim[] = [];

  get inHand(): readonly ForwardedClaim[] {
    return this.hand;
  }

  get untakenCount(): number {
    return this.untaken.length;
  }

  /** All of it, in its order. */
  get all(): readonly ForwardedClaim[] {
    return [...this.hand, ...this.untaken];
  }

  has(forwarded: ForwardedClaim): boolean {
    return this.all.some((each) => isSame(each, forwarded));
  }

  put(forwarded: ForwardedClaim): void {
    this.untaken = [...this.untaken, forwarded];
  }

  /** Takes the first so many away; what was put in meanwhile stands behind them. */
  take(count: number): readonly ForwardedClaim[] {
    const taken = this.all.slice(0, count);
    this.untaken = this.untaken.slice(Math.max(0, count - this.hand.length));
    this.hand = this.hand.slice(count);
    return taken;
  }

  /** Takes up what others have forwarded over, but for second copies, and of its own what makes `max` of all in hand. */
  takeUp(forwarded: readonly ForwardedClaim[], max: number): void {
    for (const each of forwarded) if (!this.hand.some((other) => isSame(each, other))) this.hand = [...this.hand, each];
    const count = Math.max(0, max - this.hand.length);
    this.hand = [...this.hand, ...this.untaken.slice(0, count)];
    this.untaken = this.untaken.slice(count);
  }

  /** Takes out of hand whatever has an answer, with it. */
  takeAnswered(
    answers: ReadonlyMap<string, ClaimReply>,
  ): { readonly coordinatorId: string; readonly answer: ClaimReply }[] {
    const answered = this.hand.flatMap(({ coordinatorId, brought }) => {
      const answer = answers.get(brought.id);
      return answer ? [{ coordinatorId, answer }] : [];
    });
    this.hand = this.hand.filter(({ brought }) => !answers.has(brought.id));
    return answered;
  }
}

function isSame(one: ForwardedClaim, other: ForwardedClaim): boolean {
  return one.coordinatorId === other.coordinatorId && one.brought.id === other.brought.id;
}
