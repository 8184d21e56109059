import { setTimeout as delay } from 'node:timers/promises';

/** Answers beyond this number are not kept. A page of conversations takes up to 100 KB. */
const KEPT_MAX = 200;

interface Kept<Answer> {
  readonly begunAt: number;
  readonly answer: Promise<Answer>;
  hasEnded: boolean;
  /** The read after this one. It has not begun. */
  next?: Promise<Answer>;
}

/** A caller gets an answer that is known already only if it is new enough for this caller. */
type IsEnough<Answer> = (answer: Answer) => boolean;

/**
 * How much later than an operation an answer must be, so that it surely has its changes: the clocks of two processes follow
 * the one of the database, and may each differ from it by a second.
 */
const CLOCKS_MS_MAX = 2_000;

/** Accepts answers that have the changes of an operation that ended then. Accepts every answer without a moment. */
export function isNotBefore(seen: Date | undefined): IsEnough<{ readonly countedAt: string }> {
  return ({ countedAt }) => seen === undefined || Date.parse(countedAt) >= seen.getTime() + CLOCKS_MS_MAX;
}

/**
 * Lets the callers of this process share answers: for each key, at most one read begins within `sharedForMs`. A caller for
 * whom the known answer is too old waits for the next read, which begins after the call. 0 gives each caller a read of its own.
 */
export class SharedAnswers<Answer> {
  private readonly sharedForMs: number;
  private readonly kept = new Map<string, Kept<Answer>>();

  constructor(sharedForMs: number) {
    this.sharedForMs = sharedForMs;
  }

  async read(key: string, ask: () => Promise<Answer>, isEnough: IsEnough<Answer> = () => true): Promise<Answer> {
    if (this.sharedForMs === 0) return ask();
    const calledAt = performance.now();
    const known = this.kept.get(key);
    if (known && !this.isOver(known)) {
      const answer = await known.answer;
      if (isEnough(answer)) return answer;
    }
    return this.readAfter(calledAt, key, ask);
  }

  /** Returns an answer of a read that begins after the call. An error of an earlier read is not one of this caller. */
  async readNew(key: string, ask: () => Promise<Answer>): Promise<Answer> {
    return this.sharedForMs === 0 ? ask() : this.readAfter(performance.now(), key, ask);
  }

  private readAfter(calledAt: number, key: string, ask: () => Promise<Answer>): Promise<Answer> {
    const known = this.kept.get(key);
    if (!known && this.kept.size >= KEPT_MAX) return ask();
    if (known?.next) return known.next;
    if (!known || this.isOver(known)) return this.begin(key, ask);
    if (known.begunAt >= calledAt) return known.answer;
    known.next = this.beginAfter(known, key, ask);
    return known.next;
  }

  private async beginAfter(known: Kept<Answer>, key: string, ask: () => Promise<Answer>): Promise<Answer> {
    await known.answer.catch(() => undefined);
    await delay(Math.max(0, known.begunAt + this.sharedForMs - performance.now()));
    return this.begin(key, ask);
  }

  private begin(key: string, ask: () => Promise<Answer>): Promise<Answer> {
    const kept: Kept<Answer> = { begunAt: performance.now(), answer: ask(), hasEnded: false };
    this.kept.set(key, kept);
    kept.answer.then(
      () => {
        kept.hasEnded = true;
        setTimeout(() => !kept.next && this.forget(key, kept), this.sharedForMs).unref();
      },
      // An error is no answer for anybody who comes later.
      () => this.forget(key, kept),
    );
    return kept.answer;
  }

  private isOver({ hasEnded, begunAt }: Kept<Answer>): boolean {
    return hasEnded && performance.now() - begunAt >= this.sharedForMs;
  }

  private forget(key: string, kept: Kept<Answer>): void {
    if (this.kept.get(key) === kept) this.kept.delete(key);
  }
}
