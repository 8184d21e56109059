/** Lets a limited number of tasks work at the same time. The tasks of each group wait in order, and the groups take turns. */
export class Permits {
  private free: number;
  private readonly waiting = new Map<string, (() => void)[]>();

  constructor(count: number) {
    this.free = count;
  }

  /** Resolves when the task may begin, with a function that it must call once when it has ended. */
  async acquire(group: string): Promise<() => void> {
    if (this.free > 0) this.free -= 1;
    else await new Promise<void>((resolve) => this.add(group, resolve));
    return () => this.release();
  }

  private add(group: string, begin: () => void): void {
    this.waiting.set(group, [...(this.waiting.get(group) ?? []), begin]);
  }

  /** Gives the permit to a task that waits, so that none can take it in between. */
  private release(): void {
    const [group, tasks] = this.waiting.entries().next().value ?? [];
    if (group === undefined || !tasks) return void (this.free += 1);
    const [next, ...rest] = tasks;
    // A group is moved behind the others each time.
    this.waiting.delete(group);
    if (rest.length > 0) this.waiting.set(group, rest);
    next?.();
  }
}
