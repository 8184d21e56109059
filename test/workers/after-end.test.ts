import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Operation } from '../../src/operations/operation.ts';
import { AfterEnd } from '../../workers/after-end.ts';
import { Harness } from '../support/harness.ts';
import { runToEnd } from '../support/run-operation.ts';
import { until } from '../support/until.ts';

describe('waiting claims', () => {
  let harness: Harness;
  beforeAll(async () => {
    harness = await Harness.open();
  });
  afterAll(() => harness.close());

  it('are looked for once more after all single moves that end during a look', async () => {
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
});
