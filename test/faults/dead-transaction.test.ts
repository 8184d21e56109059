import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { requestHash } from '../../src/domain/requests.ts';
import { accept } from '../../src/operations/lifecycle.ts';
import { Harness, type Seeded } from '../support/harness.ts';
import { pauseReconcile } from '../support/raw-queue.ts';
import { WorkerProcess } from '../support/worker-process.ts';

/** As docs/failure-modes.md states it. A server keeps the transaction of a dead client open for four times as long. */
const CONTINUED_WITHIN_MS = 15_000;
const PRELOAD = './test/support/at-write.ts';
const RULES = { enabled: true, batchMax: 5, openMax: 50, repliesMax: null };
const POOL: readonly Seeded[] = Array.from({ length: 12 }, (_, at) => ({ waitedMs: 12_000 - at }));
const RESULT = { waitMs: 60_000 };

/** The services of these tests keep the transaction of a client that has died open, as MongoDB does. */
describe('after a worker was killed in the middle of a transaction', { timeout: 180_000 }, () => {
  let harness: Harness;
  let campaignId: string;
  beforeAll(async () => {
    harness = await Harness.open();
    await pauseReconcile(harness);
    campaignId = await harness.seedCampaign(3, { selfAssign: RULES });
    await harness.seedConversations(campaignId, POOL);
  });
  afterAll(() => harness.close());

  /** Runs a worker that dies right after a write of a transaction, and returns when it has died. */
  async function killedAfter(write: string, send: () => Promise<unknown>): Promise<number> {
    const worker = await WorkerProcess.start(harness, { AT_WRITE: `${write}:after` }, { preload: PRELOAD });
    await send();
    expect((await worker.gone()).signal).toBe('SIGKILL');
    return performance.now();
  }

  const secondsSince = (killedAt: number): number => Math.round((performance.now() - killedAt) / 1_000);

  it('another worker serves its claim and those of other texters', async () => {
    const claims = ['t1', 't2'].map((texterId) => ({ operationId: harness.newId('cl'), texterId }));
    const [first, second] = claims as [(typeof claims)[0], (typeof claims)[0]];
    const claim = async ({ operationId, texterId }: typeof first) =>
      harness.producer.selfAssign({ operationId, campaignId, texterId, count: 3 });
    const killedAt = await killedAfter('update conversations#1', () => claim(first));
    const worker = await harness.startWorker();
    const answers = await Promise.all([claim(first), claim(second)].map(async (sent) => (await sent).result(RESULT)));
    expect(secondsSince(killedAt) * 1_000).toBeLessThanOrEqual(CONTINUED_WITHIN_MS);
    expect(answers.map(({ receipt }) => receipt.moved)).toEqual([3, 3]);
    await worker.close();
  });

  it('another worker continues its operation', async () => {
    const asked = { operationId: harness.newId('op'), campaignId, from: 'pool', to: 'everyone', count: 3 } as const;
    const send = () => harness.producer.reassign({ ...asked, status: 'any' });
    const killedAt = await killedAfter('update conversations#1', send);
    const worker = await harness.startWorker();
    const { receipt } = await (await send()).result(RESULT);
    expect(secondsSince(killedAt) * 1_000).toBeLessThanOrEqual(CONTINUED_WITHIN_MS);
    expect(receipt.moved).toBe(3);
    await worker.close();
  });

  it('another worker repeats its cancellation', async () => {
    const operationId = harness.newId('op');
    const selection = { from: 'pool', to: 'everyone', status: 'any', spread: 'even' } as const;
    const request = { kind: 'reassign', operationId, campaignId, ...selection } as const;
    // Accepted without a job, so that the cancellation is the only work.
    await accept(harness.context, { request, requestHash: requestHash(request), sendId: 'sent' });
    const cancel = () => harness.producer.cancel({ operationId, campaignId });
    const killedAt = await killedAfter('insert batches#1', () => {
      cancel().catch(() => undefined);
      return Promise.resolve();
    });
    const worker = await harness.startWorker();
    expect((await cancel()).state).toBe('cancelled');
    expect(secondsSince(killedAt) * 1_000).toBeLessThanOrEqual(CONTINUED_WITHIN_MS);
    await worker.close();
  });

  it('a change of the rules and a pause do not wait for the server to end the transaction', async () => {
    const { campaigns, texters } = harness.context.stores;
    const asked = { operationId: harness.newId('op'), campaignId, from: 'pool', to: 'everyone', count: 1 } as const;
    // The number of the operation is counted on the campaign.
    const killedAt = await killedAfter('findAndModify campaigns#1', () =>
      harness.producer.reassign({ ...asked, status: 'any' }),
    );
    const [changed] = await Promise.all([
      campaigns.changeRules(campaignId, { batchMax: 4 }),
      texters.setActive(campaignId, 't3', false),
    ]);
    expect(secondsSince(killedAt) * 1_000).toBeLessThanOrEqual(CONTINUED_WITHIN_MS);
    expect(changed?.selfAssign.batchMax).toBe(4);
  });
});
