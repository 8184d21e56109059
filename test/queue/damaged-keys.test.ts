import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { sendRequest } from '../../src/producer/send-many.ts';
import { record } from '../support/run-operation.ts';
import { ReconcileSetup } from '../support/reconcile-setup.ts';
import { until } from '../support/until.ts';

const RECONCILE_EVERY_MS = 300;
const TEN_MINUTES_MS = 600_000;
const SOON = { waitMs: 10_000 };

/** A key is damaged before each test; one worker runs. */
describe('a damaged key of Redis', { timeout: 40_000 }, () => {
  let setup: ReconcileSetup;
  let prefix: string;
  beforeAll(async () => {
    setup = await ReconcileSetup.open({ reconcileEveryMs: RECONCILE_EVERY_MS });
    ({ prefix } = setup.harness.config.queue);
    await setup.harness.startWorker();
  });
  afterAll(() => setup.close());

  /** Only a reconcile pass finds an operation that is stored without a job. */
  async function expectReconciled(): Promise<void> {
    const { campaignId } = await setup.campaign(10);
    const asked = setup.request(campaignId, 10);
    await record(setup.harness.context.stores, asked);
    await setup.ended(asked.operationId);
  }

  async function claim(campaignId: string): Promise<number> {
    const sent = await setup.harness.producer.selfAssign({
      campaignId,
      texterId: 't1',
      operationId: setup.harness.newId('cl'),
    });
    return (await sent.result(SOON)).receipt.moved;
  }

  it.each([
    ['lease', 'without an expiry', (key: string) => setup.redis.set(key, 'a coordinator that is gone')],
    ['lease', 'of another type', (key: string) => setup.redis.rpush(key, 'garbage')],
    ['forwarded', 'of another type', (key: string) => setup.redis.set(key, 'garbage')],
  ])('does not stop claims when it is the key "%s" %s', async (name, _how, damage) => {
    const { campaignId } = await setup.campaign(10);
    await damage(`${prefix}:claims:${name}:${campaignId}`);
    expect(await claim(campaignId)).toBeGreaterThan(0);
  });

  it('does not stop operations when it is the set of jobs that have returned to the queue', async () => {
    const { campaignId } = await setup.campaign(10);
    await setup.redis.set(`${prefix}:operations-returned:${campaignId}`, 'garbage');
    const sent = await sendRequest(setup.harness.producer, setup.request(campaignId, 10));
    expect((await sent.result(SOON)).receipt.moved).toBe(10);
  });

  it.each([
    ['the schedule is of another type', () => setup.redis.set(schedule('repeat:reconcile'), 'garbage')],
    ['the list of schedules is of another type', () => setup.redis.set(schedule('repeat'), 'garbage')],
    ['the template of the schedule is not JSON', () => setup.redis.hset(schedule('repeat:reconcile'), 'opts', '{"a')],
  ])('does not stop reconciling when %s', async (_what, damage) => {
    const isJson = _what.includes('JSON');
    if (!isJson) await setup.redis.del(schedule('repeat:reconcile'), schedule('repeat'));
    await damage();
    await setup.redis.del(schedule('delayed'));
    await expectReconciled();
  });

  it('does not stop reconciling when a clock ten minutes ahead has written the schedule', async () => {
    const { queue } = setup.reconciles;
    const next = async (): Promise<number> => (await queue.getJobScheduler('reconcile'))?.next ?? 0;
    const rightNow = Date.now.bind(Date);
    await queue.removeJobScheduler('reconcile');
    vi.spyOn(Date, 'now').mockImplementation(() => rightNow() + TEN_MINUTES_MS);
    const written = queue.upsertJobScheduler('reconcile', { every: RECONCILE_EVERY_MS }, { name: 'reconcile' });
    await written.finally(() => vi.restoreAllMocks());
    await until('the schedule to be right again', async () => (await next()) < Date.now() + RECONCILE_EVERY_MS * 2);
    await expectReconciled();
  });

  const schedule = (name: string): string => setup.reconciles.queue.toKey(name);
});
