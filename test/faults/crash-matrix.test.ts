import { describe, expect, it } from 'vitest';
import { runUndisturbed, runWithCrash, type Scenario } from '../support/crash-matrix.ts';
import { MIXED, type Seeded } from '../support/harness.ts';
import { Random } from '../support/random.ts';

const SEED = Number(process.env['BATON_CRASH_SEED'] ?? Date.now() % 1_000_000);
/** How many writes of each scenario the worker is killed at, or `all`. */
const WRITES = process.env['BATON_CRASH_PLACES'] ?? '3';
const TIMEOUT_MS = 1_800_000;

const IN_POOL: readonly Seeded[] = Array.from({ length: 6 }, (_, at) => ({ waitedMs: 6_000 - at }));
const ASSIGNED: readonly Seeded[] = IN_POOL.map((each) => ({ ...each, assigneeId: 't1' }));
const FROM_EVERYONE = { from: 'everyone', status: 'any' } as const;

const claim = (input: { count: number; waitMs?: number }): Scenario['requests'][number] => {
  return (ids) => ({ ...input, ...ids, texterId: 't2' });
};

const SCENARIOS: Record<string, Scenario> = {
  'a reassign with a count from everyone to everyone': {
    seeded: MIXED,
    requests: [(ids) => ({ kind: 'reassign', ...ids, ...FROM_EVERYONE, to: 'everyone', count: 7 })],
  },
  'a confirmed unassign of all conversations': {
    seeded: MIXED,
    requests: [(ids) => ({ kind: 'unassign', ...ids, ...FROM_EVERYONE, confirm: 8 })],
  },
  'a reassign of one conversation': {
    seeded: MIXED,
    requests: [
      (ids, [conversationId = '']) => ({ kind: 'reassign-one', ...ids, conversationId, to: { texterIds: ['t3'] } }),
    ],
  },
  'a claim': { seeded: IN_POOL, requests: [claim({ count: 4 })] },
  'a claim that asks for more than the pool has': { seeded: IN_POOL, requests: [claim({ count: 10 })] },
  'a claim that waits until an unassign fills the pool': {
    seeded: ASSIGNED,
    requests: [
      claim({ count: 3, waitMs: 600_000 }),
      (ids) => ({ kind: 'unassign', ...ids, ...FROM_EVERYONE, count: 5 }),
    ],
  },
  'a claim that waits until an unassign of one conversation': {
    seeded: ASSIGNED,
    requests: [
      claim({ count: 1, waitMs: 600_000 }),
      (ids, [conversationId = '']) => ({ kind: 'unassign-one', ...ids, conversationId }),
    ],
  },
};

describe(`a worker that is killed before or after any of its writes (seed ${SEED})`, { timeout: TIMEOUT_MS }, () => {
  it.concurrent.each(Object.entries(SCENARIOS))('does not change the result of %s', async (_name, scenario) => {
    const { writes, outcome } = await runUndisturbed(scenario);
    expect(writes.length).toBeGreaterThan(10);
    const chosen = WRITES === 'all' ? writes : new Random(SEED).some(writes, Number(WRITES));
    for (const write of chosen) expect(await runWithCrash(scenario, write), write).toEqual(outcome);
  });
});
