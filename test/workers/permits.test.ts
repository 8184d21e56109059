import { describe, expect, it } from 'vitest';
import { Permits } from '../../workers/permits.ts';

describe('the permits of a worker', () => {
  /** Asks for a permit for each task in this order, and notes the tasks that begin. */
  const start = (permits: Permits, tasks: readonly string[]) => {
    const begun: string[] = [];
    const ends = new Map<string, () => void>();
    for (const task of tasks) {
      void permits.acquire(task.slice(0, 1), Number(task.slice(1))).then((end) => {
        begun.push(task);
        ends.set(task, end);
      });
    }
    const end = async (task?: string): Promise<void> => {
      if (task !== undefined) ends.get(task)?.();
      await new Promise((resolve) => setImmediate(resolve));
    };
    return { begun, end };
  };

  it('let three tasks of a campaign begin, and tasks of other campaigns as long as there are permits', async () => {
    const { begun, end } = start(new Permits(5), ['a1', 'a2', 'a3', 'a4', 'b1', 'c1', 'd1']);
    await end();
    expect(begun).toEqual(['a1', 'a2', 'a3', 'b1', 'c1']);
    await end('b1');
    await end('a2');
    await end('a3');
    expect(begun.slice(5)).toEqual(['d1', 'a4']);
  });

  it('go to campaigns in turn, and to the tasks of a campaign in the order of their places', async () => {
    const { begun, end } = start(new Permits(1), ['a1', 'a3', 'b1', 'b2', 'c1', 'a2']);
    await end();
    for (let at = 0; at < 6; at += 1) await end(begun.at(-1));
    expect(begun).toEqual(['a1', 'a2', 'b1', 'c1', 'a3', 'b2']);
  });
});
