import type { Handed } from './desk-messages.ts';

/** One campaign's claims and looks at a desk, first come first served: what nobody has taken up, and what is in hand. */
export class ClaimTray {
  private untaken: readonly Handed[] = [];
  private hand: readonly Handed[] = [];

  /** Not taken up yet: what may be handed over. */
  get fresh(): readonly Handed[] {
    return this.untaken;
  }

  /** Taken up, and not served yet. */
  get inHand(): readonly Handed[] {
    return this.hand;
  }

  has({ deskId, brought }: Handed): boolean {
    return [...this.hand, ...this.untaken].some((each) => each.deskId === deskId && each.brought.id === brought.id);
  }

  put(handed: Handed): void {
    this.untaken = [...this.untaken, handed];
  }

  /** The first so many are others' now; what was put in meanwhile stands behind them. */
  drop(count: number): void {
    this.untaken = this.untaken.slice(count);
  }

  /** Takes up what others have handed over, and as much of its own as makes `max` of both. */
  takeUp(handed: readonly Handed[], max: number): void {
    const own = this.untaken.slice(0, max - handed.length);
    this.drop(own.length);
    this.hand = [...this.hand, ...handed, ...own];
  }

  /** Takes out of hand what has been served. */
  takeServed(isServed: (id: string) => boolean): readonly Handed[] {
    const served = this.hand.filter(({ brought }) => isServed(brought.id));
    this.hand = this.hand.filter(({ brought }) => !isServed(brought.id));
    return served;
  }

  /** What is in hand comes before all that nobody has taken up. */
  putBack(): void {
    this.untaken = [...this.hand, ...this.untaken];
    this.hand = [];
  }
}
