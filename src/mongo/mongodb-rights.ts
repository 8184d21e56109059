import type { mongo } from 'mongoose';
import type { Database } from './database.ts';
import { COLLECTIONS } from './indexes.ts';
import { storedFields } from './stored-values.ts';

/** The actions of MongoDB that a worker and the command line need. docs/rights.md lists them. */
export const WORK_ACTIONS = ['find', 'insert', 'update', 'remove', 'listCollections', 'listIndexes'] as const;

/** The actions that only `baton migrate` needs. */
export const MIGRATE_ACTIONS = ['createCollection', 'createIndex', 'dropIndex'] as const;

type Action = (typeof WORK_ACTIONS)[number] | (typeof MIGRATE_ACTIONS)[number];

/** The collections that Baton reads and writes. */
export const OWN_COLLECTIONS: readonly string[] = [...COLLECTIONS, 'schema'];

/** One entry of `authenticatedUserPrivileges` in the reply of `connectionStatus`. */
export interface Privilege {
  readonly resource: mongo.Document;
  readonly actions: readonly string[];
}

/** Asks for the rights of this user, which needs no right. Returns `null` when the server says nothing about them. */
export async function readPrivileges(database: Database): Promise<readonly Privilege[] | null> {
  const command = { connectionStatus: 1, showPrivileges: true };
  // A compatible server may not know the command.
  const reply = await database.command(command).catch((): mongo.Document => ({}));
  const { authenticatedUsers: users, authenticatedUserPrivileges: privileges } = storedFields(reply['authInfo']);
  // Without access control there is no user, and everything is allowed.
  if (!Array.isArray(users) || users.length === 0 || !Array.isArray(privileges)) return null;
  return privileges as Privilege[];
}

/** Returns the missing actions, such as "insert" or "insert on batches" when it is missing for some collections only. */
export function missingRights(
  privileges: readonly Privilege[],
  databaseName: string,
  actions: readonly Action[],
): readonly string[] {
  return actions.flatMap((action) => {
    const isAllowed = (collection: string): boolean =>
      privileges.some((each) => each.actions.includes(action) && isFor(each.resource, databaseName, collection));
    // Collections are listed in a database, and not in one of them.
    if (action === 'listCollections') return isAllowed('') ? [] : [action];
    const refused = OWN_COLLECTIONS.filter((collection) => !isAllowed(collection));
    if (refused.length === 0) return [];
    return [refused.length === OWN_COLLECTIONS.length ? action : `${action} on ${refused.join(' and ')}`];
  });
}

/** An empty name stands for every database, or for every collection but those of the system. */
function isFor({ anyResource, db, collection }: mongo.Document, databaseName: string, name: string): boolean {
  if (anyResource === true) return true;
  return (db === databaseName || db === '') && (collection === name || collection === '');
}
