import { deserialize, serialize, type Document } from 'bson';
import { bytesOf, execute } from '../execution.js';
import type { Call, Handler } from '../context.js';
import { SQL } from '../postgres/sql.js';

/** Commands about databases, collections and indexes. */

async function create(call: Call) {
  return bytesOf(await execute(call, SQL.create, [call.command.db, call.command.body]));
}

/** Succeeds for a missing collection, as MongoDB 7.0 does. */
async function drop(call: Call): Promise<Document> {
  const { db, target } = call.command;
  const dropped = bytesOf(await execute(call, SQL.drop, [db, target]))[0] === 1;
  return dropped ? { ns: `${db}.${target}`, ok: 1 } : { ok: 1 };
}

async function dropDatabase(call: Call): Promise<Document> {
  await execute(call, SQL.dropDatabase, [call.command.db]);
  return { dropped: call.command.db, ok: 1 };
}

async function collMod(call: Call) {
  const { db, target, body } = call.command;
  return bytesOf(await execute(call, SQL.collMod, [db, target, body]));
}

async function renameCollection(call: Call) {
  return bytesOf(await execute(call, SQL.renameCollection, [call.command.body]));
}

/** Builds the indexes before it replies, as MongoDB does. */
async function createIndexes(call: Call) {
  const reply = deserialize(bytesOf(await execute(call, SQL.createIndexes, [call.command.db, call.command.body])));
  const raw = reply['raw'] as { defaultShard?: Document } | undefined;
  return { ...(raw?.defaultShard ?? reply), ok: 1 };
}

async function dropIndexes(call: Call) {
  const reply = deserialize(bytesOf(await execute(call, SQL.dropIndexes, [call.command.db, call.command.body])));
  return Buffer.from(serialize({ ...reply, ok: 1 }));
}

async function listDatabases(call: Call) {
  return bytesOf(await execute(call, SQL.listDatabases, [call.command.body]));
}

async function validate(call: Call) {
  return bytesOf(await execute(call, SQL.validate, [call.command.db, call.command.body]));
}

async function collStats(call: Call) {
  return bytesOf(await execute(call, SQL.collStats, [call.command.db, call.command.target]));
}

async function dbStats(call: Call) {
  return bytesOf(await execute(call, SQL.dbStats, [call.command.db]));
}

async function currentOp(call: Call) {
  return bytesOf(await execute(call, SQL.currentOp, [call.command.body]));
}

/** Ends the snapshots of the database first, because PostgreSQL would wait for them before it changes or drops a table. */
function withoutSnapshots(change: Handler): Handler {
  return async (call) => {
    await call.context.snapshots.endOf(call.command.db);
    return change(call);
  };
}

/** Ends all snapshots: a rename can name any database in its body. */
async function renameWithoutSnapshots(call: Call) {
  await call.context.snapshots.close();
  return renameCollection(call);
}

export const SCHEMA_COMMANDS: Record<string, Handler> = {
  create,
  drop: withoutSnapshots(drop),
  dropDatabase: withoutSnapshots(dropDatabase),
  collMod: withoutSnapshots(collMod),
  renameCollection: renameWithoutSnapshots,
  createIndexes,
  dropIndexes: withoutSnapshots(dropIndexes),
  deleteIndexes: withoutSnapshots(dropIndexes),
  listDatabases,
  validate,
  collStats,
  collstats: collStats,
  dbStats,
  dbstats: dbStats,
  currentOp,
};
