import { deserialize, type Document } from 'bson';
import { CODE, CommandError } from '../errors.js';
import type { Call } from '../context.js';
import type { PostgresError, Row } from '../postgres/protocol.js';
import { SQL } from '../postgres/sql.js';
import { documentsOf } from '../protocol/bson-elements.js';
import type { WriteError } from '../write-errors.js';

/** Adds the key of a duplicate to the error. MongoDB reports the key; DocumentDB reports only the index. */

interface Index {
  name: string;
  pattern: Document;
}

const INDEX_IN_MESSAGE = /Index '([^']*)'/;
const ID_CONSTRAINT = /^collection_pk_/;
const INDEX_CONSTRAINT = /_(\d+)$/;
/** PostgreSQL's detail of a constraint violation starts with the rejected document. */
const DOCUMENT_IN_DETAIL = /=\(BSONHEX([0-9a-f]+)/;
const ID_INDEX: Index = { name: '_id_', pattern: { _id: 1 } };

export async function describeDuplicates(call: Call, errors: WriteError[]): Promise<WriteError[]> {
  const duplicates = errors.filter(({ code }) => code === CODE.duplicateKey);
  if (duplicates.length === 0) return errors;
  const names = new Set(duplicates.map(({ errmsg }) => INDEX_IN_MESSAGE.exec(errmsg)?.[1] ?? ''));
  const indexes = new Map<string, Index | undefined>();
  for (const name of names) indexes.set(name, await indexNamed(call, name));
  const documents = writtenDocuments(call);
  return errors.map((error) => {
    const index = indexes.get(INDEX_IN_MESSAGE.exec(error.errmsg)?.[1] ?? '');
    if (error.code !== CODE.duplicateKey || index === undefined) return error;
    return { ...error, ...duplicateFields(call, index, documents[error.index]) };
  });
}

/** Describes a duplicate key that made the whole command fail. */
export async function describeDuplicate(call: Call, cause: PostgresError): Promise<CommandError> {
  const index = await indexOfConstraint(call, cause.constraint ?? '');
  const hex = DOCUMENT_IN_DETAIL.exec(cause.detail ?? '')?.[1];
  const document = hex === undefined ? undefined : safeDeserialize(Buffer.from(hex, 'hex'));
  const { errmsg, ...fields } = duplicateFields(call, index, document);
  return new CommandError(CODE.duplicateKey, errmsg, { fields, cause });
}

function duplicateFields({ command: { db, target } }: Call, { name, pattern }: Index, document: Document | undefined) {
  const keyValue = document === undefined ? undefined : keyOf(document, pattern);
  const key = keyValue === undefined ? '' : ` dup key: ${JSON.stringify(keyValue)}`;
  const errmsg = `E11000 duplicate key error collection: ${db}.${target} index: ${name}${key}`;
  return { errmsg, keyPattern: pattern, ...(keyValue === undefined ? {} : { keyValue }) };
}

function keyOf(document: Document, pattern: Document): Document {
  return Object.fromEntries(Object.keys(pattern).map((path) => [path, valueAt(document, path)]));
}

function valueAt(document: Document, path: string): unknown {
  let value: unknown = document;
  for (const step of path.split('.')) {
    if (typeof value !== 'object' || value === null) return null;
    value = (value as Document)[step];
  }
  return value ?? null;
}

/** Returns the document that each statement of the batch would have written, as far as the command contains it. */
function writtenDocuments({ command }: Call): (Document | undefined)[] {
  const field = { insert: 'documents', update: 'updates' }[command.name];
  if (field === undefined) return [];
  const statements =
    command.sequence === undefined
      ? ((deserialize(command.body)[field] ?? []) as Document[])
      : [...documentsOf(command.sequence)].map(safeDeserialize);
  return command.name === 'insert' ? statements : statements.map(documentOfUpdate);
}

function documentOfUpdate(statement: Document | undefined): Document | undefined {
  const { q, u } = (statement ?? {}) as { q?: Document; u?: Document };
  if (u === undefined || Array.isArray(u)) return undefined;
  const operators = Object.keys(u).some((key) => key.startsWith('$'));
  return operators ? { ...q, ...(u['$setOnInsert'] as object), ...(u['$set'] as object) } : { ...q, ...u };
}

function safeDeserialize(bytes: Buffer): Document | undefined {
  try {
    return deserialize(bytes);
  } catch {
    return undefined;
  }
}

async function indexNamed(call: Call, name: string): Promise<Index | undefined> {
  if (name === ID_INDEX.name) return ID_INDEX;
  const { db, target } = call.command;
  return indexIn(await findIndex(call, [db, target, name]));
}

async function indexOfConstraint(call: Call, constraint: string): Promise<Index> {
  const id = INDEX_CONSTRAINT.exec(constraint)?.[1];
  if (ID_CONSTRAINT.test(constraint) || id === undefined) return ID_INDEX;
  return indexIn(await findIndex(call, [id])) ?? ID_INDEX;
}

/** Uses another connection, because the transaction of the command has failed and accepts no further statement. */
async function findIndex({ context: { pool } }: Call, values: string[]): Promise<Row | undefined> {
  const connection = await pool.acquire();
  const statement = values.length === 1 ? SQL.indexById : SQL.indexByName;
  const results = await connection.run([{ statement, values }]).finally(() => pool.release(connection));
  return results[0]?.rows[0];
}

function indexIn(row: Row | undefined): Index | undefined {
  const [name, key] = row ?? [];
  if (name === undefined || name === null || key === undefined || key === null) return undefined;
  return { name: name.toString(), pattern: deserialize(key) };
}
