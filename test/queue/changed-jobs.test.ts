import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { CLAIMS_QUEUE } from '../../src/queue/job.ts';
import { Harness, many } from '../support/harness.ts';
import { rawConversations } from '../support/raw.ts';
import { RawQueue } from '../support/raw-queue.ts';
import { oneSlice } from '../support/run-operation.ts';
import { until } from '../support/until.ts';

type Data = { sendId: string; request: Record<string, unknown> };

const CHANGES: [string, (data: Data, otherId: string) => unknown][] = [
  ['another campaign', (data, campaignId) => ({ ...data, request: { ...data.request, campaignId } })],
  ['another number', (data) => ({ ...data, request: { ...data.request, count: 1 } })],
  ['no request', ({ sendId }) => ({ version: 1, sendId })],
  ['another version', (data) => ({ ...data, version: 0 })],
  ['null', () => null],
];

describe('a job whose data was changed after its operation had moved conversations', () => {
  let harness: Harness;
  let operations: RawQueue;
  let claims: RawQueue;
  let otherId: string;
  beforeAll(async () => {
    harness = await Harness.open();
    [operations, claims] = [new RawQueue(harness), new RawQueue(harness, CLAIMS_QUEUE)];
    otherId = await harness.seedCampaign(1, { selfAssign: { enabled: true } });
  });
  afterAll(async () => {
    await Promise.all([operations.close(), claims.close()]);
    await harness.close();
  });

  async function seed(count: number): Promise<string> {
    const campaignId = await harness.seedCampaign(2, { selfAssign: { enabled: true } });
    await harness.seedConversations(campaignId, many(count));
    return campaignId;
  }

  const isUntouched = async () =>
    [...(await rawConversations(harness, otherId)).values()].every(({ assigneeId }) => assigneeId === null);

  it.each(CHANGES)('to %s continues as MongoDB has it, and its caller gets the receipt', async (_what, change) => {
    const campaignId = await seed(10);
    const asked = {
      operationId: harness.newId('op'),
      campaignId,
      from: 'pool',
      to: 'everyone',
      status: 'any',
    } as const;
    const sent = await harness.producer.reassign({ ...asked, count: 8 });
    const job = await operations.job(asked.operationId);
    const data = job?.data as Data;
    await oneSlice(harness.context.stores, { kind: 'reassign', ...asked, count: 8 });
    await harness.context.database.operations.updateOne(
      { _id: asked.operationId },
      { $set: { createdBySendId: data.sendId } },
    );
    await job?.updateData(change(data, otherId));
    const worker = await harness.startWorker();
    expect(await sent.result()).toMatchObject({ outcome: 'created', state: 'done', receipt: { moved: 8 } });
    expect(await harness.loads(campaignId)).toEqual({ t1: 4, t2: 4, pool: 2 });
    expect(await isUntouched()).toBe(true);
    await worker.close();
  });

  it('to another texter answers a claim that waits', async () => {
    const campaignId = await seed(2);
    const worker = await harness.startWorker();
    const operationId = harness.newId('cl');
    const wanted = { operationId, campaignId, texterId: 't1', count: 3, waitMs: 60_000 };
    const sent = await harness.producer.selfAssign(wanted);
    await until('the claim to wait', () => harness.isWaiting(operationId));
    const job = await until('the job to be snoozed', async () => {
      const found = await claims.job(operationId);
      return (await found?.isDelayed()) === true && found;
    });
    const data = job.data as Data;
    await job.updateData({ ...data, request: { ...data.request, texterId: 't2' } });
    await harness.seedConversations(campaignId, [{}]);
    await harness.producer.poolRefilled(campaignId);
    expect((await sent.result()).receipt).toMatchObject({ moved: 3 });
    expect(await harness.loads(campaignId)).toEqual({ t1: 3 });
    await worker.close();
  });

  it('is not the job of another caller who uses the id again: that one is refused', async () => {
    const campaignId = await seed(4);
    const worker = await harness.startWorker();
    const asked = {
      operationId: harness.newId('op'),
      campaignId,
      from: 'pool',
      to: 'everyone',
      status: 'any',
    } as const;
    await (await harness.producer.reassign({ ...asked, count: 2 })).result();
    await operations.forget(asked.operationId);
    const other = await harness.producer.reassign({ ...asked, count: 1 });
    await expect(other.result()).rejects.toMatchObject({ code: 'operation-conflict' });
    await worker.close();
  });
});
