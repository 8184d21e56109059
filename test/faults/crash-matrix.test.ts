import { describe, expect, it } from 'vitest';
import type { Seeded } from '../support/harness.ts';
import { playUndisturbed, playWithCrash, type Scenario } from '../support/crash-matrix.ts';
import { MIXED } from '../support/mixed-campaign.ts';
import { Random } from '../support/random.ts';

const SEED = Number(process.env['BATON_CRASH_SEED'] ?? Date.now() % 1_000_000);
/** Of each scenario; `BATON_CRASH_PLACES=all` dies at every one. */
const PLACES = process.env['BATON_CRASH_PLACES'] ?? '3';
const TIMEOUT_MS = 1_800_000;

const POOL: readonly Seeded[] = Array.from({ length: 6 }, (_, at) => ({ waitedMs: 6_000 - at }));
const HELD: readonly Seeded[] = POOL.map((each) => ({ ...each, assigneeId: 't1' }));

const claim = (more: { count: number; waitMs?: number }) => {
  return ({ operationId: claimId, campaignId }: { operationId: string; campaignId: string }) => ({
    ...more,
    operationId: claimId,
    campaignId,
    texterId: 't2',
  });
};
const ALL = { from: 'everyone', status: 'any' } as const;

const SCENARIOS: Record<string, Scenario> = {
  'reassigning some of everyone’s to everyone': {
    seeded: MIXED,
    asks: [(asked) => ({ kind: 'reassign', ...asked, ...ALL, to: 'everyone', count: 7 })],
  },
  'unassigning all, confirmed': {
    seeded: MIXED,
    asks: [(asked) => ({ kind: 'unassign', ...asked, ...ALL, confirm: 8 })],
  },
  'moving one': {
    seeded: MIXED,
    asks: [
      (asked, [conversationId = '']) => ({ kind: 'reassign-one', ...asked, conversationId, to: { texterIds: ['t3'] } }),
    ],
  },
  'a claim': { seeded: POOL, asks: [claim({ count: 4 })] },
  'a claim that gets less than it asked for': { seeded: POOL, asks: [claim({ count: 10 })] },
  'a claim that waits until work comes back': {
    seeded: HELD,
    asks: [claim({ count: 3, waitMs: 600_000 }), (asked) => ({ kind: 'unassign', ...asked, ...ALL, count: 5 })],
  },
};

describe(`a worker killed between any two writes (seed ${SEED})`, { timeout: TIMEOUT_MS }, () => {
  it.concurrent.each(Object.entries(SCENARIOS))(
    'leaves what an undisturbed one leaves: %s',
    async (_name, scenario) => {
      const { places, left } = await playUndisturbed(scenario);
      expect(places.length).toBeGreaterThan(10);
      const chosen = PLACES === 'all' ? places : new Random(SEED).some(places, Number(PLACES));
      for (const place of chosen) expect(await playWithCrash(scenario, place), place).toEqual(left);
    },
  );
});
