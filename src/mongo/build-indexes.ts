import type { mongo } from 'mongoose';
import type { Database } from './database.ts';
import { COLLECTIONS, INDEXES, type CollectionName, type Index } from './indexes.ts';

/** The difference between {@link INDEXES} and the indexes of a database. */
export interface IndexDifference {
  readonly missing: readonly Index[];
  /** One sentence for each index that stands in the way, with the remedy. */
  readonly conflicts: readonly string[];
}

/** An index as `listIndexes` describes it. */
interface Found extends mongo.Document {
  readonly name: string;
  readonly key: Readonly<Record<string, unknown>>;
}

const NAMESPACE_NOT_FOUND = 26;

/** Options that change which documents an index holds or how it compares them. Baton's indexes use none of them. */
const FOREIGN_OPTIONS = ['sparse', 'hidden', 'expireAfterSeconds', 'collation'] as const;

/** Compares the indexes of the database with {@link INDEXES}. Writes nothing. */
export async function compareIndexes(database: Database): Promise<IndexDifference> {
  const missing: Index[] = [];
  const conflicts: string[] = [];
  for (const collection of COLLECTIONS) {
    const found = await listIndexes(database, collection);
    for (const index of INDEXES.filter((each) => each.collection === collection)) {
      const conflict = conflictOf(index, found);
      if (conflict !== undefined) conflicts.push(conflict);
      else if (!found.some((each) => isSame(index, each))) missing.push(index);
    }
  }
  return { missing, conflicts };
}

/** Builds indexes, with one command for each collection. Waits until the majority of the replica set has them. */
export async function buildIndexes(database: Database, indexes: readonly Index[]): Promise<void> {
  for (const collection of COLLECTIONS) {
    const specs = indexes.filter((each) => each.collection === collection).map(specOf);
    if (specs.length > 0) await createIndexes(database, { createIndexes: collection, indexes: specs });
  }
}

/**
 * The default commit quorum waits for every member of the replica set, without a time limit: the command would hang while
 * one member is down. Servers without commit quorums refuse the option.
 */
async function createIndexes(database: Database, command: mongo.Document): Promise<void> {
  try {
    await database.command({ ...command, commitQuorum: 'majority' });
  } catch (error) {
    if (!(error instanceof Error) || !/commit ?quorum/i.test(error.message)) throw error;
    await database.command(command);
  }
}

async function listIndexes(database: Database, collection: CollectionName): Promise<Found[]> {
  try {
    const listed = await database.command({ listIndexes: collection, cursor: { batchSize: 1_000 } });
    return (listed['cursor'] as { firstBatch: Found[] }).firstBatch;
  } catch (error) {
    if (typeof error === 'object' && error !== null && 'code' in error && error.code === NAMESPACE_NOT_FOUND) return [];
    throw error;
  }
}

function conflictOf(index: Index, found: readonly Found[]): string | undefined {
  const { collection, name, isHint } = index;
  const remedy = (other: Found): string =>
    `drop it with db.${collection}.dropIndex(${JSON.stringify(other.name)}), then run \`baton migrate\` again`;
  const named = found.find((each) => each.name === name);
  if (named && isSame(index, named)) return undefined;
  if (named) return `index ${name} of ${collection} differs from Baton's: ${remedy(named)}`;
  const sameKeys = found.find((each) => each.name !== name && hasKeysOf(index, each));
  if (!sameKeys || (isSame(index, sameKeys) && isHint !== true)) return undefined;
  const how = isSame(index, sameKeys) ? 'another name' : 'other options';
  return `index ${sameKeys.name} of ${collection} has the keys of ${name} and ${how}: ${remedy(sameKeys)}`;
}

function isSame(index: Index, found: Found): boolean {
  return (
    hasKeysOf(index, found) &&
    Boolean(found['unique']) === (index.isUnique ?? false) &&
    canonical((found['partialFilterExpression'] ?? {}) as object) === canonical(index.where ?? {}) &&
    FOREIGN_OPTIONS.every((option) => found[option] === undefined || found[option] === false)
  );
}

/** The order of the keys matters. Some servers return the directions as another type of number. */
function hasKeysOf(index: Index, { key }: Found): boolean {
  const directions = Object.entries(key).map(([field, direction]) => [field, Number(direction)]);
  return JSON.stringify(directions) === JSON.stringify(Object.entries(index.keys));
}

function canonical(filter: object): string {
  return JSON.stringify(Object.entries(filter).sort(([a], [b]) => (a < b ? -1 : 1)));
}

function specOf({ name, keys, isUnique, where }: Index): mongo.Document {
  return {
    name,
    key: keys,
    ...(isUnique === true && { unique: true }),
    ...(where !== undefined && { partialFilterExpression: where }),
  };
}
