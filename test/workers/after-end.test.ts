import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Operation } from '../../src/operations/operation.ts';
import { AfterEnd, SharedChecks } from '../../workers/after-end.ts';
import { Harness } from '../support/harness.ts';
import { runToEnd } from '../support/run-operation.ts';
import { until } from '../support/until.ts';

describe('jobs that wait', () => {
  let harness: Harness;
  beforeAll(async () => {
    harness = await Harness.open();
  });
  afterAll(() => harness.close());

  it('of claims are looked for once more after all single moves that end during a look', async () => {
    const campaignId = await harness.seedCampaign(2);
    const [conversationId = ''] = await harness.seedConversations(campaignId, [{ assigneeId: 't1' }]);
    const ids = { operationId: harness.newId('op'), campaignId, conversationId };
    const moved = (await runToEnd(harness.context.stores, { kind: 'unassign-one', ...ids })) as Operation;
    let looks = 0;
    let release = (): void => undefined;
    const held = new Promise<void>((resolve) => (release = resolve));
    const claims = Object.assign(Object.create(harness.context.stores.claims) as typeof harness.context.stores.claims, {
      hasWaiting: async () => {
        looks += 1;
        await held;
        return false;
      },
    });
    const context = { ...harness.context, stores: { ...harness.context.stores, claims } };
    const unused = undefined as never;
    const afterEnd = new AfterEnd(context, unused, unused, unused);
    afterEnd.wakeAfterMove(moved);
    await until('the first look', () => looks === 1);
    for (let move = 0; move < 30; move += 1) afterEnd.wakeAfterMove(moved);
    let isSettled = false;
    const settled = afterEnd.settled().then(() => (isSettled = true));
    expect(isSettled).toBe(false);
    release();
    await settled;
    expect(looks).toBe(2);
  });

  it('of other operations are woken when the job of one cannot be woken', async () => {
    const campaignId = await harness.seedCampaign(1);
    await harness.seedConversations(campaignId, [{}, {}]);
    const all = { kind: 'reassign', campaignId, from: 'pool', to: 'everyone', status: 'any', count: 1 } as const;
    const ended: Operation[] = [];
    for (const name of ['op', 'op']) {
      const operationId = harness.newId(name);
      ended.push((await runToEnd(harness.context.stores, { ...all, operationId })) as Operation);
    }
    const woken: string[] = [];
    const queue = {
      wake: ({ operationId }: Operation) => {
        if (operationId === ended[0]?.operationId) return Promise.reject(new Error('the job is damaged'));
        return Promise.resolve(void woken.push(operationId));
      },
    } as never;
    const unused = undefined as never;
    const afterEnd = new AfterEnd(harness.context, queue, unused, unused);
    const checks = await Promise.allSettled(ended.map((operation) => afterEnd.recheck(operation)));
    expect(checks.map(({ status }) => status)).toEqual(['rejected', 'rejected']);
    expect(woken).toEqual([ended[1]?.operationId]);
  });
});

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
