import { describe, expect, it } from 'vitest';
import { areOwnServicesPossible } from '../support/own-services.ts';
import { EVERY_FAULT } from './faults.ts';
import { torture } from './torture.ts';

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
    const tortured = await torture({ seed: SEED, minutes: 0.4, workers: 2, size: SIZE, faults: EVERY_FAULT, say });
    const { violations, asked, answered, faults, checked } = tortured;
    expect(violations).toEqual([]);
    expect(answered).toBe(asked);
    expect(Object.keys(faults).length).toBeGreaterThan(3);
    expect(checked.moves).toBeGreaterThan(SIZE.conversations);
  });
});
