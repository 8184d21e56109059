import type { mongo } from 'mongoose';
import type { Harness } from './harness.ts';

/** Puts back the collections that match, in the place of what is there then. Default: all. */
export type Restore = (matches?: (collection: string) => boolean) => Promise<void>;

/** Reads every document of a database. */
export async function backUp({ context: { database } }: Harness): Promise<Restore> {
  const collection = (name: string): mongo.Collection =>
    database.client.db(database.conversations.dbName).collection(name);
  const names = (await database.listCollections()).flatMap(({ name = '' }) =>
    name.startsWith('system.') ? [] : [name],
  );
  const copies = await Promise.all(names.map(async (name) => [name, await collection(name).find().toArray()] as const));
  return async (matches = () => true) => {
    for (const [name, docs] of copies.filter(([collection]) => matches(collection))) {
      await collection(name).deleteMany({});
      if (docs.length > 0) await collection(name).insertMany(docs);
    }
  };
}
