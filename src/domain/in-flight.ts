/** The most batches of one operation that are applied at the same time. It is the same in every process. */
export const BATCHES_IN_FLIGHT_LIMIT = 16;

/**
 * Only this many of the newest batches can be unapplied. Batches are applied in order, except for those in flight, and no
 * worker plans a batch before it has applied the batches that earlier workers left. One more batch may be stored and not
 * started, and the end marker may follow.
 */
export const UNAPPLIED_MAX = BATCHES_IN_FLIGHT_LIMIT + 2;

/**
 * Runs at most `max()` tasks at the same time. When the limit is reached, adding a task waits for the oldest one. So a
 * task starts only when the task that was added `max()` places earlier has ended. p-queue and p-limit start the next
 * task when any task ends, which does not keep this bound.
 */
export class InFlight {
  private readonly max: () => number;
  private readonly tasks: Promise<void>[] = [];

  constructor(max: () => number) {
    this.max = max;
  }

  /** Starts a task when there is room. Throws the error of an earlier task that failed. */
  async add(task: () => Promise<void>): Promise<void> {
    while (this.tasks.length >= this.max()) await this.tasks.shift();
    const started = task();
    // A later call awaits the task and throws its error. Until then the error must not count as unhandled.
    started.catch(() => undefined);
    this.tasks.push(started);
  }

  /** Waits for all tasks. Throws the first error. */
  async settled(): Promise<void> {
    while (this.tasks.length > 0) await this.tasks.shift();
  }

  /** Waits for all tasks and ignores their errors, so that no task runs after the caller has ended. */
  async abandoned(): Promise<void> {
    await Promise.allSettled(this.tasks.splice(0));
  }
}
