import { createHash } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { INDEXES, LAYOUT } from '../../src/mongo/indexes.ts';
import { changesOf, layoutAfter, planStep, type LayoutState } from '../../src/mongo/layout-plan.ts';
import { MIGRATIONS } from '../../src/mongo/migrations.ts';

/** The hash of each migration's layout, in the order of their versions. */
const RELEASED = [
  'Oa_5q9RGiyn7WIIHpViKAvgZ_totXLU2L7LKzt1GlWk',
  'vW2rcXTxSO5CVgqw_XVmFYzY2jrk4rHs6J8OOT5Q-UQ',
  '_kSozM2J7a5wtUxeWDmZeb19ixJkOoOWrWLQiaeBtpI',
  'f5gX0-DCkzQA3MyvGgje-YXI3ecetEQaJC6K7Iwv_Ko',
  'f3qBjXv5T7Qn5sIPTEhJ-5xa2hqOBTk2gU26ySdNmqo',
  'pQk2ZQLlNX3Njglhs6AkZ-LXtHNd6r2qc80UTbuUHB8',
  '_kSozM2J7a5wtUxeWDmZeb19ixJkOoOWrWLQiaeBtpI',
  'GEbqtBTiRBy1Q-WeQ5H-N2xhncbtvBA5M7J62N_ZPdg',
  'sO307HxKLZJzSSPL1_9jQAkpcZMffnrxhBTO-EID4UY',
  'LJXDzbXov9dM9gqcAj2fbgmYqOLp13vju23bHl9BQ5M',
  'jv8gXMVONVS7ZRL6arGMgDQw5KHQ4bSZaKDOOnWnjY4',
  'A7ygYoDejJG-6u_dR15-JKjFpvcFx0XR_NKkf3Wjcgg',
];

/** Depends on the order of the keys, as an index does. */
function hashOf(layout: unknown): string {
  return createHash('sha256').update(JSON.stringify(layout)).digest('base64url');
}

describe('the list of migrations', () => {
  const ADD_A_MIGRATION =
    'INDEXES and MIGRATIONS differ: add a migration that drops and builds the changed indexes; never edit a released one';

  it('is numbered from 1 without gaps, and no migration requires a version of the code that does not exist', () => {
    expect(MIGRATIONS.map(({ version }) => version)).toEqual(MIGRATIONS.map((_, index) => index + 1));
    for (const { version, oldestCodeVersion } of MIGRATIONS) expect(oldestCodeVersion).toBeLessThanOrEqual(version);
  });

  it('leads to the layout of the current version', () => {
    let state: LayoutState = new Map();
    for (const migration of MIGRATIONS) state = layoutAfter(state, planStep(state, migration));
    const { conflicts, ...rest } = planStep(state, LAYOUT);
    expect([...changesOf({ ...rest, conflicts }), ...conflicts], ADD_A_MIGRATION).toEqual([]);
    const built = [...state].flatMap(([collection, { indexes }]) => indexes.map(({ name }) => `${collection}.${name}`));
    const needed = INDEXES.map(({ collection, name }) => `${collection}.${name}`);
    expect(built.sort(), ADD_A_MIGRATION).toEqual(needed.sort());
  });

  it('keeps released migrations as they were', () => {
    const hashes = MIGRATIONS.map(({ collections, drops, indexes }) => hashOf([collections, drops, indexes]));
    expect(hashes, 'a released migration must not change: add a new migration and its hash').toEqual(RELEASED);
  });
});
