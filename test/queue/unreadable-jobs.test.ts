import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { CLAIMS_QUEUE, jobIdOf, RECONCILE_QUEUE } from '../../src/queue/job.ts';
import { readSetAside } from '../../src/queue/set-aside.ts';
import { sendRequest } from '../../src/producer/send-many.ts';
import { blockMoves } from '../support/blocked-conversation.ts';
import { record } from '../support/run-operation.ts';
import { ReconcileSetup } from '../support/reconcile-setup.ts';
import { until } from '../support/until.ts';

const RECONCILE_EVERY_MS = 300;
const WAIT = { waitMs: 20_000 };
const CUT = '{"att';

describe('a job that BullMQ cannot read', { timeout: 40_000 }, () => {
  let setup: ReconcileSetup;
  beforeAll(async () => {
    setup = await ReconcileSetup.open({ reconcileEveryMs: RECONCILE_EVERY_MS });
  });
  afterEach(() => setup.redis.del(`${setup.harness.config.queue.prefix}:set-aside`));
  afterAll(() => setup.close());

  const keyOf = (operationId: string): string => setup.operations.queue.toKey(jobIdOf(operationId));
  const setAside = () => readSetAside(setup.redis, setup.harness.config.queue.prefix);

  it.each([
    ['options', { opts: CUT }],
    ['options that are no object', { opts: 'null' }],
    ['data', { data: '{"request' }],
    ['progress', { progress: '{' }],
  ])('with damaged %s is set aside, and its operation continues', async (_what, damage) => {
    const { campaignId } = await setup.campaign(10);
    const [asked, next] = [setup.request(campaignId, 10), setup.request((await setup.campaign(10)).campaignId, 10)];
    await record(setup.harness.context.stores, asked);
    await sendRequest(setup.harness.producer, asked);
    await setup.redis.hset(keyOf(asked.operationId), damage);
    const behind = await sendRequest(setup.harness.producer, next);
    const worker = await setup.harness.startWorker();
    expect((await behind.result({ waitMs: 5_000 })).receipt.moved).toBe(10);
    await setup.ended(asked.operationId);
    const [found] = await setAside();
    expect(found).toMatchObject({ queue: 'operations', jobId: jobIdOf(asked.operationId) });
    expect(found?.body).toContain(asked.operationId);
    expect(await setup.redis.ttl(`${setup.harness.config.queue.prefix}:set-aside`)).toBeGreaterThan(0);
    await worker.close();
  });

  it('with a key of another type is set aside, and its operation continues', async () => {
    const { campaignId } = await setup.campaign(10);
    const asked = setup.request(campaignId, 10);
    await record(setup.harness.context.stores, asked);
    await sendRequest(setup.harness.producer, asked);
    await setup.redis.del(keyOf(asked.operationId));
    await setup.redis.set(keyOf(asked.operationId), 'garbage');
    const worker = await setup.harness.startWorker();
    await setup.ended(asked.operationId);
    expect(await setAside()).toMatchObject([{ jobId: jobIdOf(asked.operationId) }]);
    await worker.close();
  });

  it('does not block its campaign when it is the job of a snoozed operation', async () => {
    const { campaignId, ids } = await setup.campaign(30);
    const [running, snoozed] = [setup.request(campaignId, 10), setup.request(campaignId, 10)];
    const block = await blockMoves(setup.harness, ids[5] ?? '');
    const worker = await setup.harness.startWorker();
    await sendRequest(setup.harness.producer, running);
    await until('the first operation to run', async () => {
      return (await setup.harness.context.stores.operations.find(running.operationId))?.state === 'running';
    });
    await sendRequest(setup.harness.producer, snoozed);
    await until('the second operation to be snoozed', async () => {
      return (await setup.operations.job(snoozed.operationId))?.isDelayed();
    });
    await setup.redis.hset(keyOf(snoozed.operationId), 'opts', CUT);
    await block.remove();
    await setup.ended(running.operationId, snoozed.operationId);
    expect(await setAside()).toMatchObject([{ jobId: jobIdOf(snoozed.operationId) }]);
    await worker.close();
  });

  it('makes way for its operation when that is sent again', async () => {
    const { campaignId } = await setup.campaign(10);
    const asked = setup.request(campaignId, 10);
    await sendRequest(setup.harness.producer, asked);
    await setup.redis.hset(keyOf(asked.operationId), 'opts', CUT);
    const again = await sendRequest(setup.harness.producer, asked);
    const worker = await setup.harness.startWorker();
    expect((await again.result(WAIT)).receipt.moved).toBe(10);
    await worker.close();
  });

  it('is set aside in the queue of claims, and later claims are served', async () => {
    const { campaignId } = await setup.campaign(10);
    const claim = { campaignId, texterId: 't1', operationId: setup.harness.newId('cl') };
    await setup.harness.producer.selfAssign(claim);
    const key = `${setup.harness.config.queue.prefix}:${CLAIMS_QUEUE}:${jobIdOf(claim.operationId)}`;
    await setup.redis.hset(key, 'data', '[');
    const worker = await setup.harness.startWorker();
    const later = await setup.harness.producer.selfAssign({ ...claim, operationId: setup.harness.newId('cl') });
    expect((await later.result({ waitMs: 5_000 })).receipt.moved).toBeGreaterThan(0);
    await worker.close();
  });

  it('does not stop reconciling', async () => {
    const worker = await setup.harness.startWorker();
    await worker.close();
    const { queue } = setup.reconciles;
    const [next] = await until('a reconcile job', async () => {
      const ids = await queue.getRanges(['delayed', 'wait']);
      return ids.length > 0 && ids;
    });
    await setup.redis.hset(queue.toKey(next ?? ''), 'opts', CUT);
    const { campaignId } = await setup.campaign(10);
    const asked = setup.request(campaignId, 10);
    await record(setup.harness.context.stores, asked);
    const other = await setup.harness.startWorker();
    await setup.ended(asked.operationId);
    await other.close();
  });

  it.each([
    ['damaged options', 'hset' as const, ['opts', CUT]],
    ['damaged data', 'hset' as const, ['data', '{']],
  ])('does not stop reconciling when the schedule itself has %s', async (_what, command, args) => {
    const worker = await setup.harness.startWorker();
    const key = `${setup.harness.config.queue.prefix}:${RECONCILE_QUEUE}:repeat:reconcile`;
    await until('the schedule', async () => (await setup.redis.exists(key)) === 1);
    await setup.redis[command](key, ...args);
    const { campaignId } = await setup.campaign(10);
    const asked = setup.request(campaignId, 10);
    await record(setup.harness.context.stores, asked);
    await setup.ended(asked.operationId);
    await worker.close();
  });

  it('fails with bad-request when its data is too large, and the data is not parsed', async () => {
    const text = 'x'.repeat(2 * 1024 * 1024);
    const worker = await setup.harness.startWorker();
    await setup.operations.queue.add('operation', { text }, { jobId: 'op-large', attempts: 5 });
    await until('the job to fail', async () => {
      return (await setup.operations.queue.getJobState('op-large')) === 'failed';
    });
    const reason = await setup.redis.hget(setup.operations.queue.toKey('op-large'), 'failedReason');
    expect(reason).toContain('at most 262144 bytes');
    await worker.close();
  });
});
