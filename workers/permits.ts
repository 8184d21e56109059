/** How many tasks of one group work at the same time: of a campaign, one operation runs while others are accepted in turn. */
const OF_GROUP_MAX = 3;

interface Task {
  readonly place: number;
  readonly begin: () => void;
}

interface Group {
  working: number;
  /** Lowest place first. */
  readonly waiting: Task[];
}

/**
 * Lets a limited number of tasks work at the same time. The task with the lowest place of each group begins first, and the
 * groups take turns.
 */
export class Permits {
  private free: number;
  /** The groups that have tasks. The one whose turn came last is the last. */
  private readonly groups = new Map<string, Group>();

  constructor(count: number) {
    this.free = count;
  }

  /** Resolves when the task may begin, with a function that it must call once when it has ended. */
  async acquire(name: string, place: number): Promise<() => void> {
    const group = this.groups.get(name) ?? { working: 0, waiting: [] };
    this.groups.set(name, group);
    const begun = new Promise<void>((begin) => {
      const before = group.waiting.findLastIndex((task) => task.place <= place);
      group.waiting.splice(before + 1, 0, { place, begin });
    });
    this.give();
    await begun;
    return () => {
      group.working -= 1;
      this.free += 1;
      if (group.working === 0 && group.waiting.length === 0) this.groups.delete(name);
      this.give();
    };
  }

  /** Gives the free permits to tasks that wait. */
  private give(): void {
    for (const [name, group] of [...this.groups]) {
      if (this.free === 0) return;
      if (group.working >= OF_GROUP_MAX) continue;
      const task = group.waiting.shift();
      if (!task) continue;
      this.free -= 1;
      group.working += 1;
      this.groups.delete(name);
      this.groups.set(name, group);
      task.begin();
    }
  }
}
