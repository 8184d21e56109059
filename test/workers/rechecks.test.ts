import { describe, expect, it } from 'vitest';
import type { Operation } from '../../src/operations/index.ts';
import { Rechecks } from '../../workers/rechecks.ts';

const operation = (operationId: string, campaignId = 'c1'): Operation => ({ operationId, campaignId }) as Operation;

/** Checks that last until `release` is called. Records the ids that each one has read, and what was woken. */
function pausedChecks() {
  const reads: (readonly string[])[] = [];
  const woken: string[] = [];
  const releases: (() => void)[] = [];
  const rechecks = new Rechecks({
    operations: {
      endedAmong: async (ids) => {
        reads.push([...ids]);
        await new Promise<void>((resolve) => releases.push(resolve));
        return ids.filter((id) => id.startsWith('ended')).map((id) => operation(id));
      },
    },
    queue: { wake: ({ operationId }) => Promise.resolve(void woken.push(operationId)) },
    afterEnd: { wakeNextOperation: ({ campaignId }) => Promise.resolve(void woken.push(`next of ${campaignId}`)) },
  });
  const release = async (count = 1): Promise<void> => {
    for (let at = 0; at < count; at += 1) {
      releases.shift()?.();
      await new Promise(setImmediate);
    }
  };
  return { rechecks, reads, woken, release };
}

describe('the checks of operations whose jobs were snoozed', () => {
  it('share the next check when they come during one, and none is part of a check that began before it', async () => {
    const { rechecks, reads, woken, release } = pausedChecks();
    const first = rechecks.check(operation('a'));
    await new Promise(setImmediate);
    const others = ['b', 'ended-c', 'd'].map((id) => rechecks.check(operation(id)));
    expect(reads).toEqual([['a']]);
    await release();
    await first;
    expect(woken).toEqual(['next of c1']);
    expect(reads).toEqual([['a'], ['b', 'ended-c', 'd']]);
    await release();
    await Promise.all(others);
    expect(woken).toEqual(['next of c1', 'ended-c', 'next of c1']);
  });

  it('of different campaigns do not wait for each other', async () => {
    const { rechecks, reads, release } = pausedChecks();
    const both = [rechecks.check(operation('a')), rechecks.check(operation('b', 'c2'))];
    await new Promise(setImmediate);
    expect(reads).toEqual([['a'], ['b']]);
    await release(2);
    await Promise.all(both);
  });

  it('continue after a check that failed', async () => {
    let calls = 0;
    const rechecks = new Rechecks({
      operations: { endedAmong: () => (calls++ === 0 ? Promise.reject(new Error('away')) : Promise.resolve([])) },
      queue: { wake: () => Promise.resolve() },
      afterEnd: { wakeNextOperation: () => Promise.resolve() },
    });
    const failing = rechecks.check(operation('a'));
    failing.catch(() => undefined);
    await new Promise(setImmediate);
    await expect(failing).rejects.toThrow('away');
    await expect(rechecks.check(operation('b'))).resolves.toBeUndefined();
  });
});
