import { deserialize, Long, MinKey, serialize } from 'bson';
import { CODE, CommandError } from '../errors.js';
import { bytesOf, execute } from '../execution.js';
import { explain } from './explain.js';
import { inSnapshot } from './snapshot-read.js';
import { aggregateOfOneSnapshot, findOfOneSnapshot } from './snapshot-cursor.js';
import { discardCursors, type Reply, type Call, type Handler } from '../context.js';
import type { Statement } from '../postgres/protocol.js';
import { SQL } from '../postgres/sql.js';
import { BSON_TYPE, elementsOf } from '../protocol/bson-elements.js';

function single(statement: Statement): Handler {
  return async (call) => bytesOf(await execute(call, statement, [call.command.db, call.command.body]));
}

/** A command that returns a cursor with the first page. */
function cursor(statement: Statement, rewrite = (body: Buffer): Buffer => body): Handler {
  return async (call) => {
    const { command, context } = call;
    const row = await execute(call, statement, [command.db, rewrite(command.body)]);
    const page = bytesOf(row);
    const continuation = row[1];
    if (continuation !== undefined && continuation !== null) {
      const { db, session } = command;
      const txnNumber = command.inTransaction ? command.txnNumber : undefined;
      context.cursors.add({ id: cursorIdIn(page), db, session, txnNumber, continuation: Buffer.from(continuation) });
    }
    return page;
  };
}

/** Reads the id from `{ cursor: { id, … } }`. */
function cursorIdIn(page: Buffer): bigint {
  for (const outer of elementsOf(page)) {
    if (outer.key !== 'cursor') continue;
    const inner = page.subarray(outer.at, outer.end);
    for (const { key, type, at } of elementsOf(inner)) {
      if (key === 'id' && type === BSON_TYPE.int64) return inner.readBigInt64LE(at);
    }
  }
  throw new CommandError(CODE.internalError, 'DocumentDB returned a cursor without an id');
}

const findPage = cursor(SQL.find, findOfOneSnapshot);
const aggregatePage = cursor(SQL.aggregate, aggregateOfOneSnapshot);

function aggregate(call: Call): Reply | Promise<Reply> {
  return call.command.explain ? explain(call) : aggregatePage(call);
}

const countMatching = single(SQL.count);

/** DocumentDB counts without a filter from statistics, which may be outdated. A filter on all documents is exact. */
async function count(call: Call): Promise<Reply> {
  const { command } = call;
  if (command.hasQuery) return countMatching(call);
  const countAll = serialize({ ...deserialize(command.body), query: { _id: { $gte: new MinKey() } } });
  return countMatching({ ...call, command: { ...command, body: Buffer.from(countAll) } });
}

async function getMore(call: Call): Promise<Reply> {
  const { command, context } = call;
  const open = context.cursors.find(command.cursorId);
  if (open.txnNumber !== undefined && !command.inTransaction) {
    throw new CommandError(
      CODE.noSuchTransaction,
      `Cannot run getMore on cursor ${open.id} outside the transaction that created it.`,
    );
  }
  const row = await execute(call, SQL.getMore, [open.db, command.body, open.continuation]);
  const continuation = row[1];
  // A copy, so that the open cursor does not keep the buffer of the whole page in memory.
  if (continuation !== undefined && continuation !== null) open.continuation = Buffer.from(continuation);
  else context.cursors.remove(open.id);
  return bytesOf(row);
}

async function killCursors({ command, context }: Call): Promise<Reply> {
  const { cursors = [] } = deserialize(command.body, { promoteLongs: false }) as { cursors?: unknown[] };
  const ids = cursors.map((id) => BigInt(String(id)));
  const killed = ids.filter((id) => context.cursors.remove(id));
  await discardCursors(context, killed);
  const longs = (some: bigint[]) => some.map((id) => Long.fromBigInt(id));
  return {
    cursorsKilled: longs(killed),
    cursorsNotFound: longs(ids.filter((id) => !killed.includes(id))),
    cursorsAlive: [],
    cursorsUnknown: [],
    ok: 1,
  };
}

export const READ_COMMANDS: Record<string, Handler> = {
  find: inSnapshot(findPage),
  aggregate: inSnapshot(aggregate),
  listCollections: cursor(SQL.listCollections),
  listIndexes: cursor(SQL.listIndexes),
  getMore,
  killCursors,
  count,
  distinct: inSnapshot(single(SQL.distinct)),
};
