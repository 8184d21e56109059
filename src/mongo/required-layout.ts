import { Refusal } from '../domain/errors.ts';
import type { Database } from './database.ts';
import { hasCode, UNAUTHORIZED } from './server-errors.ts';
import { COLLECTIONS, INDEXES, type Index } from './indexes.ts';
import { readLayout } from './layout.ts';
import { planStep, type LayoutState, type StepPlan } from './layout-plan.ts';
import { MIGRATIONS, OWN_INDEXES } from './migrations.ts';
import { readSchemaVersion, versionOf } from './schema-version.ts';

/** Returns true for an index without which a promise does not hold, or a query fails. The others only save time. */
export function isRequired({ isUnique, isHint }: Index): boolean {
  return isUnique === true || isHint === true;
}

/**
 * Throws a `Refusal` that names the remedy if a collection or a required index is missing or wrong. A query that names a
 * partial index with another filter would lose rows without an error, and without a unique index two bulk operations of a
 * campaign could run at once. Only reads, and passes if the user may not list indexes.
 */
export async function requireLayout(database: Database): Promise<void> {
  // This code does not know the indexes of a newer schema.
  if ((await readSchemaVersion(database)).version > versionOf(MIGRATIONS)) return;
  const state = await readAllowed(database);
  if (!state) return;
  const step = { collections: COLLECTIONS, indexes: INDEXES.filter(isRequired) };
  refuseDifferences(planStep(state, step, OWN_INDEXES));
}

async function readAllowed(database: Database): Promise<LayoutState | undefined> {
  try {
    return await readLayout(database);
  } catch (error) {
    if (hasCode(error, UNAUTHORIZED)) return undefined;
    throw error;
  }
}

function refuseDifferences({ collections, builds, conflicts }: StepPlan): void {
  const expected = 'the collections and indexes that `baton migrate` creates';
  if (conflicts.length > 0) {
    const received = conflicts.join('; ');
    throw new Refusal('schema-conflict', { message: received, expected, received });
  }
  const missing = [...collections, ...builds.map(({ collection, name }) => `${collection}.${name}`)].join(', ');
  if (missing === '') return;
  const message = `collections or indexes are missing: ${missing}: run \`baton migrate\``;
  throw new Refusal('schema-outdated', { message, expected, received: `a database without ${missing}` });
}
