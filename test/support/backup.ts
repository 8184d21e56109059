import type { mongo } from 'mongoose';
import type { Harness } from './harness.ts';

/** Reads every document of a database, and returns a function that puts them back in the place of what is there then. */
export async function backUp({ context: { database } }: Harness): Promise<() => Promise<void>> {
  const collection = (name: string): mongo.Collection =>
    database.client.db(database.conversations.dbName).collection(name);
  const names = (await database.listCollections()).flatMap(({ name = '' }) =>
    name.startsWith('system.') ? [] : [name],
  );
  const copies = await Promise.all(names.map(async (name) => [name, await collection(name).find().toArray()] as const));
  return async () => {
    for (const [name, docs] of copies) {
      await collection(name).deleteMany({});
      if (docs.length > 0) await collection(name).insertMany(docs);
    }
  };
}
