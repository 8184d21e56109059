import { describe, expect, it } from 'vitest';
import { areOwnServicesPossible } from '../support/own-services.ts';
import { EVERY_FAULT } from '../torture/faults.ts';
import { torture } from '../torture/torture.ts';

/** Each another: how long they take is the machine's business. */
const STRIKES = 6;
const SEED = Number(process.env['BATON_TORTURE_SEED'] ?? 1);
const SIZE = {
  campaigns: 2,
  texters: 6,
  conversations: 300,
  askers: { bulk: 2, single: 1, claim: 3, undo: 1, cancel: 1 },
};

/** The short form of `npm run torture`. */
describe.runIf(areOwnServicesPossible)(`workers, Redis and the database fail under load (seed ${SEED})`, () => {
  it('and everything asked for ends, once, and is accounted for', { timeout: 300_000 }, async () => {
    const say = (): void => undefined;
    const how = { seed: SEED, minutes: 0, strikes: STRIKES, workers: 2, size: SIZE, faults: EVERY_FAULT, say };
    const tortured = await torture(how);
    const { violations, asked, answered, faults, checked, statusChanges } = tortured;
    expect(violations).toEqual([]);
    expect(answered).toBe(asked);
    expect(Object.keys(faults)).toHaveLength(STRIKES);
    expect(statusChanges).toBeGreaterThan(0);
    expect(checked.moves).toBeGreaterThan(SIZE.conversations);
  });
});
