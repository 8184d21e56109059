import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { audit } from '../support/audit/audit.ts';
import { rawOperations } from '../support/raw.ts';
import { Harness } from '../support/harness.ts';
import { BusyCampaign } from './support/busy-campaign.ts';
import { OTHER_PROGRAMS } from './support/other-programs.ts';
import { WAIT_MS_MAX, writeTogether } from './support/pair.ts';
import { WRITERS, type Writer } from './support/writers.ts';

const CONVERSATIONS = Number(process.env['PAIR_SIZE'] ?? 2_000);
/** Small batches and slices, so that an operation has several of both. */
const WORKER = { batchConversationsMax: 100, sliceMs: 200, stalledCheckMs: 1_000 };
const TIMEOUT_MS = 120_000;

/** Each writer beside itself and beside every later one, and beside each other program. */
const PAIRS: readonly (readonly [Writer, Writer])[] = WRITERS.flatMap((writer, index) => [
  ...WRITERS.slice(index).map((other) => [writer, other] as const),
  ...OTHER_PROGRAMS.map((other) => [writer, other] as const),
]);

describe('two writers on one campaign', { timeout: TIMEOUT_MS }, () => {
  let harness: Harness;
  beforeAll(async () => {
    harness = await Harness.open(WORKER);
    await Promise.all([harness.startWorker(), harness.startWorker()]);
  });
  afterAll(() => harness.close());

  it.concurrent.each(PAIRS.map((pair, index) => ({ names: pair.map(({ name }) => name).join(' and '), pair, index })))(
    '$names both end, and everything adds up',
    async ({ pair, index }) => {
      const t0 = performance.now();
      const campaign = await BusyCampaign.seed(harness, CONVERSATIONS, index + 1);
      const t1 = performance.now();
      await writeTogether(campaign, pair);
      const t2 = performance.now();
      const changedOutside = pair.some(({ isOutside, causes }) => isOutside ?? causes !== undefined);
      const { violations } = await audit(harness, [campaign], campaign.sent, { changedOutside });
      const t3 = performance.now();
      const byWhat: Record<string, number> = {};
      for (const w of campaign.waits) byWhat[w.what] = Math.max(byWhat[w.what] ?? 0, Math.round(w.waitedMs));
      console.log(pair.map(p=>p.name).join(' | '), [t1-t0,t2-t1,t3-t2].map(Math.round).join(' '), campaign.sent.length, JSON.stringify(byWhat), JSON.stringify(campaign.refusals));
      expect(violations).toEqual([]);
      expect(Object.keys(campaign.refusals).filter((code) => !isAllowed(code, pair))).toEqual([]);
      expect(campaign.waits.filter(({ waitedMs }) => waitedMs > WAIT_MS_MAX)).toEqual([]);
      const operations = await rawOperations(harness, campaign.campaignId);
      const selected = operations.map(({ receipt }) => receipt?.selected ?? 0);
      expect(Math.max(0, ...selected)).toBeLessThanOrEqual(campaign.assignees.size);
    },
  );
});

function isAllowed(code: string, pair: readonly Writer[]): boolean {
  return pair.some(({ refusals = [], causes = [] }) => [...refusals, ...causes].includes(code as never));
}
