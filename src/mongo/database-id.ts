import { randomUUID } from 'node:crypto';
import type { DatabaseAge } from '../domain/database-age.ts';
import type { Database } from './database.ts';
import { increment, storedCount, storedDate, storedFields, storedText } from './stored-values.ts';

const THE_SCHEMA = { _id: 'schema' } as const;

/**
 * Returns the id that a database has for its whole life, also after it was moved or restored from a backup. `baton migrate`
 * creates it. It is created here too, so that a database without one is no obstacle.
 */
export async function databaseIdOf(database: Database): Promise<string> {
  const found = await readDatabaseId(database);
  if (found !== null) return found;
  // Of two processes, one writes its id, and both read that one.
  const without = { ...THE_SCHEMA, databaseId: { $not: { $type: 'string' as const } } };
  await database.schema.updateOne(without, { $set: { databaseId: randomUUID() } });
  const created = await readDatabaseId(database);
  if (created === null) throw new Error('the database has no id and no schema: run `baton migrate`');
  return created;
}

/** Returns `null` when the database has no id yet. Writes nothing. */
export async function readDatabaseId(database: Database): Promise<string | null> {
  const doc = await database.schema.findOne(THE_SCHEMA, { projection: { databaseId: 1 } });
  return storedText(doc?.databaseId);
}

export async function readDatabaseAge(database: Database): Promise<DatabaseAge | null> {
  return toAge((await database.schema.findOne(THE_SCHEMA, { projection: { age: 1 } }))?.age);
}

/**
 * Counts one more reconcile pass. Returns the age before it, as the primary has it, and the age after it; `undefined` when
 * the schema is missing, because another program has dropped it or is restoring it.
 */
export async function countPass(
  database: Database,
): Promise<{ readonly before: DatabaseAge | null; readonly after: DatabaseAge } | undefined> {
  const [token, at] = [randomUUID(), database.now()];
  // A write reads the newest state. A read could miss an acknowledged write after an election.
  const doc = await database.schema.findOneAndUpdate(
    THE_SCHEMA,
    [...increment('age.pass'), { $set: { 'age.token': token, 'age.at': at } }],
    { projection: { age: 1 }, returnDocument: 'before' },
  );
  if (!doc) return undefined;
  const before = toAge(doc.age);
  return { before, after: { pass: (before?.pass ?? 0) + 1, token, at } };
}

function toAge(stored: unknown): DatabaseAge | null {
  const { pass, token, at } = storedFields(stored);
  const age = { pass: storedCount(pass), token: storedText(token), at: storedDate(at) };
  return age.pass === null || age.token === null || age.at === null ? null : (age as DatabaseAge);
}
