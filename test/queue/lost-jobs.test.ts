import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { newOperationJob, operationJobOptions } from '../../src/operations/jobs.ts';
import { parseRequest } from '../../src/operations/contract.ts';
import { jobIdOf, QUEUE_NAMES } from '../../src/queue/job.ts';
import { sendRequest } from '../../src/producer/send-many.ts';
import { ReconcileSetup } from '../support/reconcile-setup.ts';

const LONG_MS = 3_600_000;
const WAIT = { waitMs: 20_000 };

/** No worker runs until a test starts one, and no reconcile pass but those of the tests. */
describe('a job whose key exists but which no list of its queue has', () => {
  let setup: ReconcileSetup;
  beforeAll(async () => {
    setup = await ReconcileSetup.open({ reconcileEveryMs: LONG_MS });
  });
  afterAll(() => setup.close());

  const lose = (list: string): Promise<number> => setup.redis.del(setup.operations.queue.toKey(list));

  it('runs when its operation is sent again', async () => {
    const { campaignId } = await setup.campaign(10);
    const asked = setup.request(campaignId, 10);
    await sendRequest(setup.harness.producer, asked);
    await lose('wait');
    const again = await sendRequest(setup.harness.producer, asked);
    const worker = await setup.harness.startWorker();
    expect((await again.result(WAIT)).receipt.moved).toBe(10);
    await worker.close();
  });

  it('runs once after several producers have sent it again at once', async () => {
    const { campaignId } = await setup.campaign(10);
    const asked = setup.request(campaignId, 10);
    await sendRequest(setup.harness.producer, asked);
    await lose('wait');
    await Promise.all(Array.from({ length: 5 }, () => sendRequest(setup.harness.producer, asked)));
    const ids = await setup.redis.lrange(setup.operations.queue.toKey('wait'), 0, -1);
    expect(ids).toEqual([jobIdOf(asked.operationId)]);
    await lose('wait');
  });

  it('runs after a reconcile pass, although no worker had accepted its operation', async () => {
    const { campaignId } = await setup.campaign(20);
    const [first, second] = [setup.request(campaignId, 10), setup.request(campaignId, 10)];
    const sent = await Promise.all([first, second].map((asked) => sendRequest(setup.harness.producer, asked)));
    await lose('wait');
    expect((await setup.reconcileOnce()).jobsRestored).toBeGreaterThanOrEqual(2);
    expect((await setup.reconcileOnce()).jobsRestored).toBe(0);
    const worker = await setup.harness.startWorker();
    const results = await Promise.all(sent.map((each) => each.result(WAIT)));
    expect(results.map(({ receipt }) => receipt.moved)).toEqual([10, 10]);
    await worker.close();
  });

  it('runs again when it had failed and the list of failed jobs is lost', async () => {
    const { campaignId } = await setup.campaign(10);
    const asked = setup.request(campaignId, 10);
    await sendRequest(setup.harness.producer, asked);
    const job = await setup.operations.job(asked.operationId);
    await job?.updateData({ ...(job.data as object) });
    await setup.redis.hset(setup.operations.queue.toKey(jobIdOf(asked.operationId)), {
      finishedOn: Date.now(),
      failedReason: 'the database is away',
      atm: 10,
    });
    await lose('wait');
    const again = await sendRequest(setup.harness.producer, asked);
    const worker = await setup.harness.startWorker();
    expect((await again.result(WAIT)).receipt.moved).toBe(10);
    await worker.close();
  });

  it('is not the leftover of a job without a request: that one makes way for the operation', async () => {
    const { campaignId } = await setup.campaign(10);
    const asked = setup.request(campaignId, 10);
    await setup.redis.hset(setup.operations.queue.toKey(jobIdOf(asked.operationId)), { processedOn: 1, ats: 1 });
    const sent = await sendRequest(setup.harness.producer, asked);
    const worker = await setup.harness.startWorker();
    expect((await sent.result(WAIT)).receipt.moved).toBe(10);
    await worker.close();
  });

  it('keeps its request when another one is sent under its id', async () => {
    const { campaignId } = await setup.campaign(10);
    const asked = setup.request(campaignId, 10);
    const job = newOperationJob(parseRequest(asked), 's1');
    await setup.operations.queue.add('operation', job, operationJobOptions(asked.operationId));
    await lose('wait');
    const other = sendRequest(setup.harness.producer, { ...asked, count: 3 });
    await expect(other).rejects.toMatchObject({ code: 'operation-conflict' });
    const worker = await setup.harness.startWorker();
    expect((await setup.harness.producer.result(asked.operationId, WAIT)).receipt.moved).toBe(10);
    await worker.close();
  });

  it.each(QUEUE_NAMES)('runs after a reconcile pass in the queue %s', async (name) => {
    const key = (part: string): string => `${setup.harness.config.queue.prefix}:${name}:${part}`;
    await setup.redis.hset(key('lost'), { name: 'lost', data: '{}', opts: '{}', timestamp: 1 });
    await setup.reconcileOnce();
    expect(await setup.redis.lrange(key('wait'), 0, -1)).toContain('lost');
    await setup.redis.del(key('wait'), key('lost'));
  });
});
