import { DEADLOCK_CHECK_MS, TRANSACTION_DEADLOCK_CHECK_MS, WRITE_BATCH_MAX } from '../limits.js';
import type { Statement } from './protocol.js';

/** All SQL statements, and the settings of the connections. */

export const CONNECTION_SETTINGS: Record<string, string> = {
  application_name: 'baton-documentdb-server',
  search_path: 'documentdb_api_catalog,documentdb_api,documentdb_core,public',
  deadlock_timeout: `${DEADLOCK_CHECK_MS}ms`,
  jit: 'off',
  // Reports a deadlock as an error, which this server retries, and not inside `writeErrors`.
  'documentdb.throwDeadlockOnCRUD': 'on',
  // Stores the rest of a cursor in a file, so that any connection can continue the cursor.
  'documentdb.useFileBasedPersistedCursors': 'on',
  // Merges ordered scans for {field: {$in: […]}} with a sort by the next index fields, as MongoDB does.
  'documentdb.enable_merge_sort_for_in_prefix': 'on',
  'documentdb.maxWriteBatchSize': String(WRITE_BATCH_MAX),
};

/** The additional settings of the connections for transactions. */
export const TRANSACTION_SETTINGS: Record<string, string> = {
  // PostgreSQL reports the lock for which it waits. `client_min_messages` sends this report to the server.
  log_lock_waits: 'on',
  client_min_messages: 'log',
  deadlock_timeout: `${TRANSACTION_DEADLOCK_CHECK_MS}ms`,
  // Keeps these reports out of PostgreSQL's log file, and also errors, which the clients receive.
  log_min_messages: 'fatal',
};

const PAGE = 'cursorpage, continuation';

function statements<const Names extends string>(texts: Record<Names, string>): Record<Names, Statement> {
  const entries = Object.entries<string>(texts).map(([name, text]) => [name, { name, text }]);
  return Object.fromEntries(entries) as Record<Names, Statement>;
}

export const SQL = statements({
  begin: 'begin isolation level repeatable read',
  commit: 'commit',
  rollback: 'rollback',
  insert: 'select p_result, p_success from documentdb_api.insert($1, $2, $3, null)',
  update: 'select p_result, p_success from documentdb_api.update($1, $2, $3, null)',
  delete: 'select p_result, p_success from documentdb_api.delete($1, $2, $3, null)',
  findAndModify: 'select p_result, p_success from documentdb_api.find_and_modify($1, $2, null)',
  find: `select ${PAGE} from documentdb_api.find_cursor_first_page($1, $2)`,
  aggregate: `select ${PAGE} from documentdb_api.aggregate_cursor_first_page($1, $2)`,
  listCollections: `select ${PAGE} from documentdb_api.list_collections_cursor_first_page($1, $2)`,
  listIndexes: `select ${PAGE} from documentdb_api.list_indexes_cursor_first_page($1, $2)`,
  getMore: `select ${PAGE} from documentdb_api.cursor_get_more($1, $2, $3)`,
  killCursors: 'select documentdb_api_internal.delete_cursors($1)',
  count: 'select document from documentdb_api.count_query($1, $2)',
  distinct: 'select document from documentdb_api.distinct_query($1, $2)',
  create: 'select documentdb_api.create_collection_view($1, $2)',
  drop: 'select documentdb_api.drop_collection($1, $2)',
  dropDatabase: 'select documentdb_api.drop_database($1)',
  collMod: 'select documentdb_api.coll_mod($1, $2, $3)',
  renameCollection: 'select documentdb_api.rename_collection($1)',
  createIndexes: 'select documentdb_api_internal.create_indexes_non_concurrently($1, $2, true)',
  dropIndexes: 'select documentdb_api_internal.drop_indexes_non_concurrently($1, $2)',
  listDatabases: 'select documentdb_api.list_databases($1)',
  validate: 'select documentdb_api.validate($1, $2)',
  collStats: 'select documentdb_api.coll_stats($1, $2, 1.0)',
  dbStats: 'select documentdb_api.db_stats($1, 1.0, false)',
  indexByName: `select (i.index_spec).index_name, (i.index_spec).index_key
    from documentdb_api_catalog.collection_indexes i join documentdb_api_catalog.collections c using (collection_id)
    where c.database_name = $1 and c.collection_name = $2 and (i.index_spec).index_name = $3`,
  indexById: `select (index_spec).index_name, (index_spec).index_key
    from documentdb_api_catalog.collection_indexes where index_id = $1::text::int`,
  cancelBackend: 'select pg_cancel_backend($1::text::int)',
  currentOp: 'select documentdb_api.current_op_command($1)',
});

/** Writes that may report errors of single statements in their reply. Their second column is false then. */
export const BATCH_WRITES: ReadonlySet<Statement> = new Set([SQL.insert, SQL.update, SQL.delete]);
