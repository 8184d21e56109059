import { afterAll, beforeAll, expect } from 'vitest';
import { countWorkers } from '../../src/telemetry/index.ts';
import { Harness } from '../support/harness.ts';
import { itWith, OWN_REDIS } from '../support/needs.ts';

let harness: Harness;
beforeAll(async () => {
  harness = await Harness.open();
  await harness.startWorker();
});
afterAll(() => harness.close());

itWith(OWN_REDIS)('the workers of another database of the same Redis are not counted', async () => {
  const { redisUrl, prefix } = harness.config.queue;
  const other = new URL(redisUrl);
  other.pathname = '/1';
  expect(await countWorkers({ redisUrl, prefix })).toBe(1);
  expect(await countWorkers({ redisUrl: other.href, prefix })).toBe(0);
});
