import type { mongo } from 'mongoose';
import type { CollectionName, Index } from './indexes.ts';

/** An index as `listIndexes` describes it. */
export interface FoundIndex extends mongo.Document {
  readonly name: string;
  readonly key: Readonly<Record<string, unknown>>;
}

export interface FoundCollection {
  /** `collection`, `view` or `timeseries`. */
  readonly type: string;
  readonly options: mongo.Document;
  readonly indexes: readonly FoundIndex[];
}

/** The collections of a database that have the names of Baton's collections. */
export type LayoutState = ReadonlyMap<CollectionName, FoundCollection>;

/** Collections and indexes that a step needs. */
export interface Layout {
  readonly collections?: readonly CollectionName[];
  /** Names of indexes to drop. A step drops indexes before it builds others. */
  readonly drops?: readonly Pick<Index, 'collection' | 'name'>[];
  readonly indexes?: readonly Index[];
}

/** What a step has to change in a database, and what prevents it. */
export interface StepPlan {
  readonly collections: readonly CollectionName[];
  readonly drops: readonly Pick<Index, 'collection' | 'name'>[];
  readonly builds: readonly Index[];
  /** One sentence with the remedy for each object of another program that prevents the step. */
  readonly conflicts: readonly string[];
}

/**
 * Compares the layout of a database with the layout that a step needs. `ownIndexes` has the names of all indexes that
 * migrations build: such an index may have the keys of a newer one, because workers of the previous version still use it.
 */
export function planStep(state: LayoutState, step: Layout, ownIndexes: ReadonlySet<string> = new Set()): StepPlan {
  const { collections = [], drops = [], indexes = [] } = step;
  const kept = withoutIndexes(state, drops);
  const conflicts = collections.flatMap((name) => collectionConflict(name, state.get(name)));
  const builds: Index[] = [];
  for (const index of indexes) {
    const found = kept.get(index.collection)?.indexes ?? [];
    const conflict = indexConflict(index, found, ownIndexes);
    if (conflict !== undefined) conflicts.push(conflict);
    else if (!found.some((each) => isSame(index, each))) builds.push(index);
  }
  return {
    collections: collections.filter((name) => !state.has(name)),
    drops: drops.filter(({ collection, name }) => hasIndex(state, collection, name)),
    builds,
    conflicts,
  };
}

/** Returns the layout of the database after a planned step. */
export function layoutAfter(state: LayoutState, { collections, drops, builds }: StepPlan): LayoutState {
  const after = new Map(withoutIndexes(state, drops));
  for (const name of collections) after.set(name, EMPTY_COLLECTION);
  for (const index of builds) {
    const collection = after.get(index.collection) ?? EMPTY_COLLECTION;
    after.set(index.collection, { ...collection, indexes: [...collection.indexes, specOf(index)] });
  }
  return after;
}

/** Describes the changes of a step, one sentence for each. */
export function changesOf({ collections, drops, builds }: StepPlan): string[] {
  return [
    ...collections.map((name) => `create collection ${name}`),
    ...drops.map(({ collection, name }) => `drop index ${name} of ${collection}`),
    ...builds.map(({ collection, name }) => `build index ${name} of ${collection}`),
  ];
}

const EMPTY_COLLECTION: FoundCollection = { type: 'collection', options: {}, indexes: [] };

function withoutIndexes(state: LayoutState, drops: readonly Pick<Index, 'collection' | 'name'>[]): LayoutState {
  const isDropped = (collection: string, { name }: FoundIndex): boolean =>
    drops.some((drop) => drop.collection === collection && drop.name === name);
  return new Map(
    [...state].map(([name, found]) => {
      const indexes = found.indexes.filter((index) => !isDropped(name, index));
      return [name, { ...found, indexes }];
    }),
  );
}

/** Describes an index as the database stores it. */
export function specOf({ name, keys, isUnique, where }: Index): FoundIndex {
  return {
    name,
    key: keys,
    ...(isUnique === true && { unique: true }),
    ...(where !== undefined && { partialFilterExpression: where }),
  };
}

function hasIndex(state: LayoutState, collection: CollectionName, name: string): boolean {
  return state.get(collection)?.indexes.some((index) => index.name === name) === true;
}

/** Options that change how a collection compares or refuses documents. */
const COLLECTION_OPTIONS_REFUSED = ['collation', 'validator', 'capped'] as const;

/** Options that change which documents an index contains or how it compares them. Baton's indexes use none of them. */
const INDEX_OPTIONS_REFUSED = ['sparse', 'hidden', 'expireAfterSeconds', 'collation'] as const;

function collectionConflict(name: CollectionName, found: FoundCollection | undefined): string[] {
  if (found === undefined) return [];
  const remedy = 'use another database, or rename it and run `baton migrate` again';
  if (found.type !== 'collection') return [`${name} is a ${found.type}: ${remedy}`];
  const refused = COLLECTION_OPTIONS_REFUSED.filter((option) => found.options[option] !== undefined);
  return refused.length === 0 ? [] : [`collection ${name} has a ${refused.join(' and a ')}: ${remedy}`];
}

function indexConflict(
  index: Index,
  found: readonly FoundIndex[],
  ownIndexes: ReadonlySet<string>,
): string | undefined {
  const { collection, name, isHint } = index;
  const remedy = (other: FoundIndex): string =>
    `drop it with db.${collection}.dropIndex(${JSON.stringify(other.name)}), then run \`baton migrate\` again`;
  const named = found.find((each) => each.name === name);
  if (named && isSame(index, named)) return undefined;
  if (named) return `index ${name} of ${collection} differs from Baton's: ${remedy(named)}`;
  const sameKeys = found.filter((each) => hasKeysOf(index, each));
  const same = sameKeys.find((each) => isSame(index, each));
  if (same && isHint === true) {
    return `index ${same.name} of ${collection} has the keys of ${name} and another name: ${remedy(same)}`;
  }
  const other = sameKeys.find((each) => !ownIndexes.has(each.name));
  if (same || !other) return undefined;
  return `index ${other.name} of ${collection} has the keys of ${name} and other options: ${remedy(other)}`;
}

function isSame(index: Index, found: FoundIndex): boolean {
  return (
    hasKeysOf(index, found) &&
    Boolean(found['unique']) === (index.isUnique ?? false) &&
    canonical((found['partialFilterExpression'] ?? {}) as object) === canonical(index.where ?? {}) &&
    INDEX_OPTIONS_REFUSED.every((option) => found[option] === undefined || found[option] === false)
  );
}

/** The order of the keys matters. Some servers return the directions as another type of number. */
function hasKeysOf(index: Index, { key }: FoundIndex): boolean {
  const directions = Object.entries(key).map(([field, direction]) => [field, Number(direction)]);
  return JSON.stringify(directions) === JSON.stringify(Object.entries(index.keys));
}

function canonical(filter: object): string {
  return JSON.stringify(Object.entries(filter).sort(([a], [b]) => (a < b ? -1 : 1)));
}
