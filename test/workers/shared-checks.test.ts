import { describe, expect, it } from 'vitest';
import type { Operation } from '../../src/operations/index.ts';
import { SharedChecks } from '../../workers/shared-checks.ts';

const operation = (operationId: string, campaignId = 'c1'): Operation => ({ operationId, campaignId }) as Operation;

/** Checks that last until `release` is called. Records the ids that each one was called with. */
function pausedChecks() {
  const checked: string[][] = [];
  const releases: (() => void)[] = [];
  const checks = new SharedChecks(async (operations) => {
    checked.push(operations.map(({ operationId }) => operationId));
    await new Promise<void>((resolve) => releases.push(resolve));
  });
  const release = async (count = 1): Promise<void> => {
    for (let at = 0; at < count; at += 1) {
      releases.shift()?.();
      await new Promise(setImmediate);
    }
  };
  return { checks, checked, release };
}

describe('a check after operations', () => {
  it('is shared by all that come during the one before, and none is part of a check that began before it', async () => {
    const { checks, checked, release } = pausedChecks();
    const first = checks.after(operation('a'));
    await new Promise(setImmediate);
    const others = ['b', 'c', 'd'].map((id) => checks.after(operation(id)));
    expect(checked).toEqual([['a']]);
    await release();
    await first;
    expect(checked).toEqual([['a'], ['b', 'c', 'd']]);
    const settled = checks.settled();
    await release();
    await Promise.all([...others, settled]);
  });

  it('of one campaign does not wait for one of another', async () => {
    const { checks, checked, release } = pausedChecks();
    const both = [checks.after(operation('a')), checks.after(operation('b', 'c2'))];
    await new Promise(setImmediate);
    expect(checked).toEqual([['a'], ['b']]);
    await release(2);
    await Promise.all(both);
  });

  it('is made after one that failed', async () => {
    let calls = 0;
    const checks = new SharedChecks(() => (calls++ === 0 ? Promise.reject(new Error('away')) : Promise.resolve()));
    await expect(checks.after(operation('a'))).rejects.toThrow('away');
    await expect(checks.after(operation('b'))).resolves.toBeUndefined();
    await checks.settled();
  });
});
