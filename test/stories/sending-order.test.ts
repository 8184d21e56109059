import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { MongoOperationStore } from '../../src/operations/operation-store.ts';
import { jobIdOf, JOB_VERSION, OPERATIONS_QUEUE } from '../../src/queue/job.ts';
import { Harness } from '../support/harness.ts';
import { Random } from '../support/random.ts';
import { rawOperation } from '../support/raw.ts';
import { RawQueue } from '../support/raw-queue.ts';
import { until } from '../support/until.ts';

const WORKERS = 4;
const OPERATIONS = 25;
const CAMPAIGNS = 3;

type Accept = MongoOperationStore['accept'];

/** The real method, for a spy that calls it. */
function acceptOfStore(): (this: MongoOperationStore, ...args: Parameters<Accept>) => ReturnType<Accept> {
  return Object.getOwnPropertyDescriptor(MongoOperationStore.prototype, 'accept')?.value as Accept;
}

describe('operations that one producer sends one after the other', () => {
  let harness: Harness;
  beforeAll(async () => {
    harness = await Harness.open();
    for (let worker = 0; worker < WORKERS; worker += 1) await harness.startWorker();
  });
  afterAll(() => harness.close());

  const send = (campaignId: string, operationId: string) =>
    harness.producer.reassign({ operationId, campaignId, from: 'pool', to: 'everyone', status: 'any', count: 1 });

  const inSequence = async (campaignId: string): Promise<string[]> => {
    const sort = { sequence: 1 } as const;
    const docs = await harness.context.database.operations.find({ campaignId }, { sort }).toArray();
    return docs.map(({ _id }) => _id);
  };

  /** Makes accepting take longer for some operations, as a busy database does. */
  function slowAccepting(random: Random): { restore: () => void } {
    const accept = acceptOfStore();
    const spy = vi.spyOn(MongoOperationStore.prototype, 'accept').mockImplementation(async function (
      this: MongoOperationStore,
      ...args
    ) {
      if (random.chance(0.3)) await new Promise((resolve) => setTimeout(resolve, random.between(1, 60)));
      return accept.apply(this, args);
    });
    return { restore: () => spy.mockRestore() };
  }

  it('are accepted and run in this order by several workers', { timeout: 90_000 }, async () => {
    const slow = slowAccepting(new Random(7));
    const campaignIds = await Promise.all(Array.from({ length: CAMPAIGNS }, () => harness.seedCampaign(2)));
    const sent = await Promise.all(
      campaignIds.map(async (campaignId) => {
        const ids: string[] = [];
        const results = [];
        for (let number = 0; number < OPERATIONS; number += 1) {
          const operationId = harness.newId('op');
          results.push((await send(campaignId, operationId)).result());
          ids.push(operationId);
        }
        await Promise.all(results);
        return ids;
      }),
    ).finally(() => slow.restore());
    for (const [index, campaignId] of campaignIds.entries()) expect(await inSequence(campaignId)).toEqual(sent[index]);
  });

  it('keep their order when an earlier one meets an error before it is accepted', async () => {
    const campaignId = await harness.seedCampaign(2);
    const ids = [1, 2, 3, 4].map(() => harness.newId('op'));
    const accept = acceptOfStore();
    let failures = 2;
    const spy = vi.spyOn(MongoOperationStore.prototype, 'accept').mockImplementation(async function (
      this: MongoOperationStore,
      ...args
    ) {
      if (args[0].operationId === ids[0] && (failures -= 1) >= 0) throw new Error('the connection is lost');
      return accept.apply(this, args);
    });
    const results = [];
    for (const operationId of ids) results.push((await send(campaignId, operationId)).result());
    await Promise.all(results).finally(() => spy.mockRestore());
    expect(await inSequence(campaignId)).toEqual(ids);
  });

  it('keep their order when an earlier one was refused before and is sent again', async () => {
    const campaignId = await harness.seedCampaign(2);
    const [undoId, undone, last] = [harness.newId('op'), harness.newId('op'), harness.newId('op')];
    const undo = () => harness.producer.undo({ operationId: undoId, campaignId, undoes: undone });
    await expect((await undo()).result()).rejects.toMatchObject({ code: 'unknown-operation' });
    await (await send(campaignId, undone)).result();
    const acceptAnew = Object.getOwnPropertyDescriptor(MongoOperationStore.prototype, 'acceptAnew')?.value as Accept;
    const spy = vi.spyOn(MongoOperationStore.prototype, 'acceptAnew').mockImplementation(async function (
      this: MongoOperationStore,
      operation,
    ) {
      await new Promise((resolve) => setTimeout(resolve, 200));
      return acceptAnew.call(this, operation, true);
    });
    const results = [(await undo()).result(), (await send(campaignId, last)).result()];
    await Promise.all(results).finally(() => spy.mockRestore());
    expect(await inSequence(campaignId)).toEqual([undone, undoId, last]);
  });

  it('may have an id that emitters treat in another way', async () => {
    const campaignId = await harness.seedCampaign(2);
    const queue = new RawQueue(harness, OPERATIONS_QUEUE);
    const request = { kind: 'reassign', operationId: 'error', campaignId, from: 'pool', to: 'everyone', status: 'any' };
    await queue.queue.add('operation', { version: 1, sendId: 'send_1', request }, { jobId: 'error', attempts: 2 });
    await until('the operation to end', async () => (await queue.job('error'))?.finishedOn);
    expect(await rawOperation(harness, 'error')).toMatchObject({ state: 'done', error: null });
    await queue.close();
  });

  it('stay noted for newer workers when their version is unknown here, and hold up no operation of this version', async () => {
    const campaignId = await harness.seedCampaign(2);
    const queue = new RawQueue(harness, OPERATIONS_QUEUE);
    const notedKey = `${harness.config.queue.prefix}:${OPERATIONS_QUEUE}-returned:${campaignId}`;
    const jobId = jobIdOf(harness.newId('op'));
    const request = { kind: 'undo', operationId: harness.newId('op'), campaignId, undoes: 'x', more: true };
    await queue.queue.add('operation', { version: JOB_VERSION + 1, sendId: 's', request }, { jobId });
    await until('the job to be noted', async () => (await queue.redis.zscore(notedKey, jobId)) !== null);
    await (await send(campaignId, harness.newId('op'))).result({ waitMs: 5_000 });
    expect(await queue.redis.zrange(notedKey, '0', '-1')).toEqual([jobId]);
    await queue.close();
  });

  it('do not wait for a job that is lost or has failed', async () => {
    const campaignId = await harness.seedCampaign(2);
    const queue = new RawQueue(harness, OPERATIONS_QUEUE);
    const notedKey = `${harness.config.queue.prefix}:${OPERATIONS_QUEUE}-returned:${campaignId}`;
    await queue.redis.zadd(notedKey, 1, 'op-lost', 2, 'op-garbage');
    const lost = { version: 1, sendId: 's', request: { kind: 'undo', operationId: 'lost', campaignId, undoes: 'x' } };
    await queue.redis.hset(queue.queue.toKey('op-lost'), 'data', JSON.stringify(lost), 'timestamp', '1');
    await queue.redis.hset(queue.queue.toKey('op-garbage'), 'data', '{"att', 'timestamp', '2');
    const sent = await send(campaignId, harness.newId('op'));
    await sent.result({ waitMs: 5_000 });
    expect(await queue.redis.zrange(notedKey, '0', '-1')).toEqual([]);
    await queue.redis.del(queue.queue.toKey('op-lost'), queue.queue.toKey('op-garbage'));
    await queue.close();
  });
});
