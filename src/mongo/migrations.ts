import { buildIndexes, compareIndexes } from './build-indexes.ts';
import type { Database } from './database.ts';
import { COLLECTIONS } from './indexes.ts';
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
    const { missing, conflicts } = await compareIndexes(database);
    const collections = (await missingCollections(database)).map((name) => `create collection ${name}`);
    const indexes = missing.map(({ collection, name }) => `build index ${name} of ${collection}`);
    return [...collections, ...indexes, ...conflicts];
  },
  run: async (database) => {
    const { missing, conflicts } = await compareIndexes(database);
    if (conflicts.length > 0) throw indexConflict(conflicts);
    for (const name of await missingCollections(database)) await database.createCollection(name);
    await buildIndexes(database, missing);
  },
};

export const MIGRATIONS: readonly Migration[] = [collectionsAndIndexes];

async function missingCollections(database: Database): Promise<readonly string[]> {
  const found = new Set(await database.collectionNames());
  return COLLECTIONS.filter((name) => !found.has(name));
}

function indexConflict(conflicts: readonly string[]): Refusal {
  return new Refusal('index-conflict', {
    message: conflicts.join('; '),
    expected: 'no indexes that differ from those of Baton',
    received: conflicts.join('; '),
  });
}
