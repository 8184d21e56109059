import { expect, it } from 'vitest';
import { describeWith, OWN_SERVERS } from '../support/needs.ts';
import { EVERY_FAULT } from '../torture/faults.ts';
import { torture } from '../torture/torture.ts';

/** Each fault is another one. A minimum of faults, because a time limit would depend on the machine. */
const FAULTS_MIN = 6;
const SEED = Number(process.env['BATON_TORTURE_SEED'] ?? 1);
const SIZE = {
  campaigns: 2,
  texters: 6,
  conversations: 300,
  senders: { bulk: 2, single: 1, claim: 3, undo: 1, cancel: 1 },
};

/** The short form of `npm run torture`. */
describeWith(OWN_SERVERS)(`Baton while workers, Redis and the database fail (seed ${SEED})`, () => {
  it('ends and answers every request, and stores no inconsistency', { timeout: 300_000 }, async () => {
    const report = await torture({
      seed: SEED,
      minutes: 0,
      faultsMin: FAULTS_MIN,
      workers: 2,
      size: SIZE,
      faults: EVERY_FAULT,
      log: () => undefined,
    });
    const { violations, sent, answered, faults, checked, statusChanges } = report;
    expect(violations).toEqual([]);
    expect(answered).toBe(sent);
    expect(Object.keys(faults)).toHaveLength(FAULTS_MIN);
    expect(statusChanges).toBeGreaterThan(0);
    expect(checked.moves).toBeGreaterThan(SIZE.conversations);
  });
});
