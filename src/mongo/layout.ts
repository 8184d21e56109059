import type { mongo } from 'mongoose';
import type { Database } from './database.ts';
import { hasCode } from './server-errors.ts';
import { COLLECTIONS, type CollectionName } from './indexes.ts';
import { specOf, type FoundCollection, type FoundIndex, type LayoutState, type StepPlan } from './layout-plan.ts';

/** Reads the collections and indexes of a database. Writes nothing. */
export async function readLayout(database: Database): Promise<LayoutState> {
  const listed = await database.listCollections();
  const state = new Map<CollectionName, FoundCollection>();
  for (const name of COLLECTIONS) {
    const info = listed.find((each) => each.name === name);
    if (info === undefined) continue;
    const type = info.type ?? 'collection';
    // A view has no indexes.
    const indexes = type === 'collection' ? await listIndexes(database, name) : [];
    state.set(name, { type, options: info.options ?? {}, indexes });
  }
  return state;
}

/** Makes the planned changes. Can be repeated after it stopped half-way, with a new plan. */
export async function changeLayout(database: Database, { collections, drops, builds }: StepPlan): Promise<void> {
  for (const name of collections) await database.createCollection(name);
  for (const { collection, name } of drops) await database.command({ dropIndexes: collection, index: name });
  for (const collection of COLLECTIONS) {
    const indexes = builds.filter((each) => each.collection === collection).map(specOf);
    if (indexes.length > 0) await createIndexes(database, { createIndexes: collection, indexes });
  }
}

/**
 * Builds indexes and waits until the majority of the replica set has them. The default commit quorum waits for every
 * member, without a time limit: the command would hang while one member is down. Servers without commit quorums refuse
 * the option.
 */
async function createIndexes(database: Database, command: mongo.Document): Promise<void> {
  try {
    await database.command({ ...command, commitQuorum: 'majority' });
  } catch (error) {
    if (!(error instanceof Error) || !/commit ?quorum/i.test(error.message)) throw error;
    await database.command(command);
  }
}

const NAMESPACE_NOT_FOUND = 26;

async function listIndexes(database: Database, collection: CollectionName): Promise<FoundIndex[]> {
  try {
    const listed = await database.command({ listIndexes: collection, cursor: { batchSize: 1_000 } });
    return (listed['cursor'] as { firstBatch: FoundIndex[] }).firstBatch;
  } catch (error) {
    if (hasCode(error, NAMESPACE_NOT_FOUND)) return [];
    throw error;
  }
}
