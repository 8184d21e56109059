/**
 * A few tasks at a time, in the order given: adding one waits for the oldest when all places are taken, so that no task
 * is ever overtaken by more than the places there are.
 */
export class InFlight {
  private readonly max: () => number;
  private readonly tasks: Promise<void>[] = [];

  constructor(max: () => number) {
    this.max = max;
  }

  /** Starts a task as soon as there is a place. Throws what an earlier one failed with. */
  async add(task: () => Promise<void>): Promise<void> {
    while (this.tasks.length >= this.max()) await this.tasks.shift();
    const started = task();
    // Its failure is seen by whoever awaits it here; until then it must not count as unhandled.
    started.catch(() => undefined);
    this.tasks.push(started);
  }

  /** Waits for all; throws the first failure. */
  async settled(): Promise<void> {
    while (this.tasks.length > 0) await this.tasks.shift();
  }

  /** Waits for all, whatever becomes of them: nothing goes on behind the caller's back. */
  async abandoned(): Promise<void> {
    await Promise.allSettled(this.tasks.splice(0));
  }
}
