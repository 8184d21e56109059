import { afterAll, beforeAll, expect, it } from 'vitest';
import { Harness } from '../support/harness.ts';
import { WorkerProcess } from '../support/worker-process.ts';

let harness: Harness;
beforeAll(async () => {
  harness = await Harness.open();
});
afterAll(() => harness.close());

it('a worker whose log has lost its reader writes lines in vain and continues to serve', async () => {
  const worker = await WorkerProcess.start(harness, { BATON_LOG_LEVEL: 'trace' });
  const campaignId = await harness.seedCampaign(1);
  await harness.seedConversations(campaignId, [{}, {}]);
  worker.closeLog();
  const asked = { campaignId, from: 'pool', to: { texterIds: ['t1'] }, status: 'any', count: 1 } as const;
  // The worker logs the refusal of an unknown campaign. Each line meets a closed pipe.
  for (let line = 0; line < 3; line += 1) {
    const refused = await harness.producer.reassign({
      operationId: harness.newId('op'),
      ...asked,
      campaignId: 'c_unknown',
    });
    await expect(refused.result()).rejects.toMatchObject({ code: 'unknown-campaign' });
    const sent = await harness.producer.reassign({ operationId: harness.newId('op'), ...asked });
    expect((await sent.result()).receipt).toMatchObject({ moved: line < 2 ? 1 : 0 });
  }
  expect(worker.hasEnded).toBe(false);
  worker.signal('SIGTERM');
  expect(await worker.exitCode()).toBe(0);
});
