import { setTimeout as sleep } from 'node:timers/promises';
import { expect, it } from 'vitest';
import { Harness } from '../support/harness.ts';
import { areOwnServicesPossible, OwnServices } from '../support/own-services.ts';
import { RawQueue } from '../support/raw-queue.ts';
import { until } from '../support/until.ts';
import { WorkerProcess } from '../support/worker-process.ts';

/** As long as a failover, and longer than the driver waits for a primary here. */
const AWAY_MS = 12_000;

it.runIf(areOwnServicesPossible)('a database that is away as long as a failover uses no attempt', async () => {
  const services = await OwnServices.start();
  const harness = await Harness.open({}, services);
  const env = { BATON_MONGODB_SELECTION_TIMEOUT_MS: '500', BATON_SLICE_MS: '200', BATON_BATCH_CONVERSATIONS_MAX: '20' };
  const worker = await WorkerProcess.start(harness, env);
  const queue = new RawQueue(harness);
  try {
    const campaignId = await harness.seedCampaign(3);
    await harness.seedConversations(
      campaignId,
      Array.from({ length: 3_000 }, () => ({})),
    );
    const operationId = harness.newId('op');
    const asked = { operationId, campaignId, from: 'pool', to: 'everyone', status: 'any' } as const;
    const sent = await harness.producer.reassign(asked);
    const { batches } = harness.context.stores;
    await until('the first batches', async () => (await batches.recent(operationId, 3)).length === 3);
    await services.database.kill('SIGKILL');
    await sleep(AWAY_MS);
    const during = await queue.job(operationId);
    expect(during?.attemptsMade).toBe(0);
    await services.database.restart();
    expect((await sent.result({ waitMs: 60_000 })).receipt).toMatchObject({ moved: 3_000 });
    expect(worker.logText).toContain('no primary or no majority of MongoDB answers');
  } finally {
    await queue.close();
    await worker.kill();
    await harness.close();
    await services.stop();
  }
});
