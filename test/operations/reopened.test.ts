import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { failWith } from '../../src/operations/ending.ts';
import type { BulkRequest } from '../../src/operations/contract.ts';
import { cancelAt } from '../support/cancel.ts';
import { Harness } from '../support/harness.ts';
import { meanwhileAt } from '../support/interposed.ts';
import { oneTurn, toTheEnd } from '../support/perform.ts';
import { rawOperation } from '../support/raw.ts';

const CONVERSATIONS = 20;

describe('an operation that was reopened', () => {
  let harness: Harness;
  beforeAll(async () => {
    harness = await Harness.open();
  });
  afterAll(() => harness.close());

  async function campaign(): Promise<string> {
    const campaignId = await harness.seedCampaign(2);
    await harness.seedConversations(
      campaignId,
      Array.from({ length: CONVERSATIONS }, () => ({})),
    );
    return campaignId;
  }

  const toOne = (campaignId: string, texterId: string, count: number): BulkRequest => ({
    ...{ kind: 'reassign', operationId: harness.newId('op'), campaignId, from: 'pool', to: { texterIds: [texterId] } },
    ...{ status: 'any', count, spread: 'even' },
  });

  it('waits for its turn by the plan it has, whatever has become of its targets', async () => {
    const { stores, failures } = harness.context;
    const campaignId = await campaign();
    const halted = toOne(campaignId, 't1', 8);
    await oneTurn(stores, halted);
    await harness.pause(campaignId, 't1');
    expect(await toTheEnd(stores, halted)).toMatchObject({ state: 'failed', error: { code: 'targets-lost' } });
    const ahead = toOne(campaignId, 't2', 8);
    await oneTurn(stores, ahead);
    await failures.reopen(halted.operationId);
    expect(await oneTurn(stores, halted)).toMatchObject({ kind: 'waiting', operation: { state: 'accepted' } });
    await toTheEnd(stores, ahead);
    await harness.pause(campaignId, 't1', true);
    expect(await toTheEnd(stores, halted)).toMatchObject({ state: 'done', error: null, receipt: { moved: 8 } });
  });

  it('between the look and the note of whoever cancels it is not said to have ended, and is cancelled by the next try', async () => {
    const { stores, failures, clock } = harness.context;
    const request = toOne(await campaign(), 't1', 8);
    const { operation } = await oneTurn(stores, request);
    await failWith({ stores, clock }, operation, new Error('given up'));
    const raced = meanwhileAt(stores, 2, async () => void (await failures.reopen(request.operationId)));
    await expect(cancelAt(raced, request)).rejects.not.toHaveProperty('code');
    expect(await cancelAt(stores, request)).toMatchObject({ state: 'cancelled' });
    expect(await rawOperation(harness, request.operationId)).toMatchObject({ state: 'cancelled', reopened: 1 });
  });
});
