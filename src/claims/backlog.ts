import type { DeskMessage, Handed } from './messages.ts';

/** One campaign's claims and looks at a desk: in hand what has been taken up, and behind it what nobody has taken up. */
export class ClaimTray {
  private hand: readonly Handed[] = [];
  private untaken: readonly Handed[] = [];

  get inHand(): readonly Handed[] {
    return this.hand;
  }

  get untakenCount(): number {
    return this.untaken.length;
  }

  /** All of it, in its order. */
  get all(): readonly Handed[] {
    return [...this.hand, ...this.untaken];
  }

  has(handed: Handed): boolean {
    return this.all.some((each) => isSame(each, handed));
  }

  put(handed: Handed): void {
    this.untaken = [...this.untaken, handed];
  }

  /** Takes the first so many away; what was put in meanwhile stands behind them. */
  take(count: number): readonly Handed[] {
    const taken = this.all.slice(0, count);
    this.untaken = this.untaken.slice(Math.max(0, count - this.hand.length));
    this.hand = this.hand.slice(count);
    return taken;
  }

  /** Takes up what others have handed over, but for second copies, and of its own what makes `max` of all in hand. */
  takeUp(handed: readonly Handed[], max: number): void {
    for (const each of handed) if (!this.hand.some((other) => isSame(each, other))) this.hand = [...this.hand, each];
    const count = Math.max(0, max - this.hand.length);
    this.hand = [...this.hand, ...this.untaken.slice(0, count)];
    this.untaken = this.untaken.slice(count);
  }

  /** Takes out of hand whatever has an answer, with it. */
  takeAnswered(answers: ReadonlyMap<string, DeskMessage>): { readonly deskId: string; readonly answer: DeskMessage }[] {
    const answered = this.hand.flatMap(({ deskId, brought }) => {
      const answer = answers.get(brought.id);
      return answer ? [{ deskId, answer }] : [];
    });
    this.hand = this.hand.filter(({ brought }) => !answers.has(brought.id));
    return answered;
  }
}

function isSame(one: Handed, other: Handed): boolean {
  return one.deskId === other.deskId && one.brought.id === other.brought.id;
}
