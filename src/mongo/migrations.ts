import type { mongo } from 'mongoose';
import { buildIndexes, compareIndexes } from './build-indexes.ts';
import type { Database } from './database.ts';
import { COLLECTIONS, type CollectionName, type Index } from './indexes.ts';
import { Refusal } from '../domain/errors.ts';

/** One step from a version of the database schema to the next. */
export interface Migration {
  /** The version of the schema after this step. The first step has version 1, and there are no gaps. */
  readonly version: number;
  /** A short sentence for the log: "create the collections". */
  readonly name: string;
  /**
   * The oldest schema version whose code works with the database after this step. Keep the version of the previous
   * release here, so that its workers keep running during the upgrade.
   */
  readonly oldestCodeVersion: number;
  /** Runs the step in each `baton migrate`, also when the schema has this version already. */
  readonly isRepeated?: true;
  /** Lists the changes that {@link run} would make. Writes nothing. */
  plan(database: Database): Promise<readonly string[]>;
  /** Must be safe to repeat: a process can die after any of its writes. */
  run(database: Database): Promise<void>;
}

/** Repeated, because an index can get lost, for example when a database is restored from a copy. */
const collectionsAndIndexes: Migration = {
  version: 1,
  name: 'create the collections and indexes',
  oldestCodeVersion: 1,
  isRepeated: true,
  plan: async (database) => {
    const { collections, indexes, conflicts } = await compare(database);
    return [
      ...collections.map((name) => `create collection ${name}`),
      ...indexes.map(({ collection, name }) => `build index ${name} of ${collection}`),
      ...conflicts,
    ];
  },
  run: async (database) => {
    const { collections, indexes, conflicts } = await compare(database);
    if (conflicts.length > 0) throw schemaConflict(conflicts.join('; '));
    for (const name of collections) await database.createCollection(name);
    await buildIndexes(database, indexes);
  },
};

export const MIGRATIONS: readonly Migration[] = [collectionsAndIndexes];

/** Lists what is missing, and what another program made in the place of it. Writes nothing. */
async function compare(database: Database): Promise<{
  readonly collections: readonly CollectionName[];
  readonly indexes: readonly Index[];
  readonly conflicts: readonly string[];
}> {
  const found = new Map((await database.listCollections()).map((info) => [info.name, info]));
  const conflicts = COLLECTIONS.flatMap((name) => conflictOf(name, found.get(name)));
  // A view has no indexes to compare.
  if (conflicts.length > 0) return { collections: [], indexes: [], conflicts };
  const { missing, conflicts: indexConflicts } = await compareIndexes(database);
  return { collections: COLLECTIONS.filter((name) => !found.has(name)), indexes: missing, conflicts: indexConflicts };
}

/** Options that change how a collection compares or refuses documents. */
const FOREIGN_OPTIONS = ['collation', 'validator', 'capped'] as const;

function conflictOf(name: CollectionName, info: Partial<mongo.CollectionInfo> | undefined): string[] {
  const remedy = 'use another database, or rename it and run `baton migrate` again';
  if (info?.type !== undefined && info.type !== 'collection') return [`${name} is a ${info.type}: ${remedy}`];
  const foreign = FOREIGN_OPTIONS.filter((option) => info?.options?.[option] !== undefined);
  return foreign.length === 0 ? [] : [`collection ${name} has a ${foreign.join(' and a ')}: ${remedy}`];
}

function schemaConflict(conflicts: string): Refusal {
  const expected = 'collections and indexes as Baton creates them';
  return new Refusal('schema-conflict', { message: conflicts, expected, received: conflicts });
}
