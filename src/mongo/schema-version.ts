import type { Database } from './database.ts';
import type { SchemaDoc } from './documents.ts';
import { MIGRATIONS, type Migration } from './migrations.ts';
import { Refusal } from '../domain/errors.ts';

export type SchemaVersion = Pick<SchemaDoc, 'version' | 'oldestCodeVersion'>;

const EMPTY: SchemaVersion = { version: 0, oldestCodeVersion: 0 };

export async function readSchemaVersion(database: Database): Promise<SchemaVersion> {
  return (
    (await database.schema.findOne({ _id: 'schema' }, { projection: { version: 1, oldestCodeVersion: 1 } })) ?? EMPTY
  );
}

/** Throws a `Refusal` unless this code can work with the schema of the database. */
export async function requireSchema(database: Database, migrations: readonly Migration[] = MIGRATIONS): Promise<void> {
  const codeVersion = versionOf(migrations);
  const found = await readSchemaVersion(database);
  refuseOldCode(found, codeVersion);
  if (found.version >= codeVersion) return;
  const expected = `schema version ${codeVersion}`;
  const message =
    found.version === 0
      ? 'the database has no schema yet: run `baton migrate`'
      : `the database has schema version ${found.version}, and this code needs version ${codeVersion}: run \`baton migrate\``;
  throw new Refusal('schema-outdated', { message, expected, received: `schema version ${found.version}` });
}

/** The schema version that code with these migrations needs. */
export function versionOf(migrations: readonly Migration[]): number {
  return migrations.at(-1)?.version ?? 0;
}

export function refuseOldCode(
  { oldestCodeVersion }: Pick<SchemaVersion, 'oldestCodeVersion'>,
  codeVersion: number,
): void {
  if (codeVersion >= oldestCodeVersion) return;
  throw new Refusal('code-outdated', {
    message: `this version of Baton is too old for the database: it supports schema version ${codeVersion}, and the database needs ${oldestCodeVersion} or newer`,
    expected: `code for schema version ${oldestCodeVersion} or newer`,
    received: `code for schema version ${codeVersion}`,
  });
}
