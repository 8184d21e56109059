import { deserialize, Long, MinKey, serialize } from 'bson';
import { CODE, CommandError } from '../errors.js';
import { bytesOf, execute } from '../execution.js';
import { explain } from './explain.js';
import { discardCursors, type Answer, type Call, type Handler } from '../front.js';
import type { Statement } from '../postgres/protocol.js';
import { SQL } from '../postgres/sql.js';
import { BSON_TYPE, elementsOf } from '../protocol/bson-walk.js';

function single(statement: Statement): Handler {
  return async (call) => bytesOf(await execute(call, statement, [call.command.db, call.command.body]));
}

/** A command whose answer is a cursor: what does not fit its first page waits for getMore. */
function cursor(statement: Statement): Handler {
  return async (call) => {
    const { command, front } = call;
    const row = await execute(call, statement, [command.db, command.body]);
    const page = bytesOf(row);
    const continuation = row[1];
    if (continuation !== undefined && continuation !== null) {
      const { db, session } = command;
      const txnNumber = command.inTransaction ? command.txnNumber : undefined;
      front.cursors.add({ id: cursorIdIn(page), db, session, txnNumber, continuation: Buffer.from(continuation) });
    }
    return page;
  };
}

/** `{ cursor: { id, … } }` */
function cursorIdIn(page: Buffer): bigint {
  for (const outer of elementsOf(page)) {
    if (outer.key !== 'cursor') continue;
    const inner = page.subarray(outer.at, outer.end);
    for (const { key, type, at } of elementsOf(inner)) {
      if (key === 'id' && type === BSON_TYPE.int64) return inner.readBigInt64LE(at);
    }
  }
  throw new CommandError(CODE.internalError, 'a cursor without an id');
}

const findPage = cursor(SQL.find);
const aggregatePage = cursor(SQL.aggregate);

function aggregate(call: Call): Answer | Promise<Answer> {
  return call.command.explain ? explain(call) : aggregatePage(call);
}

const countMatching = single(SQL.count);

/** DocumentDB answers an unfiltered count from statistics, which lag behind; MongoDB's is right. */
async function count(call: Call): Promise<Answer> {
  const { command } = call;
  if (command.queries) return countMatching(call);
  const everything = serialize({ ...deserialize(command.body), query: { _id: { $gte: new MinKey() } } });
  return countMatching({ ...call, command: { ...command, body: Buffer.from(everything) } });
}

async function getMore(call: Call): Promise<Answer> {
  const { command, front } = call;
  const open = front.cursors.find(command.cursorId);
  if (open.txnNumber !== undefined && !command.inTransaction) {
    throw new CommandError(
      CODE.noSuchTransaction,
      `Cannot run getMore on cursor ${open.id}, created in a transaction, without it.`,
    );
  }
  const row = await execute(call, SQL.getMore, [open.db, command.body, open.continuation]);
  const continuation = row[1];
  // A copy: the continuation must not hold the page's whole buffer for as long as the cursor is open.
  if (continuation !== undefined && continuation !== null) open.continuation = Buffer.from(continuation);
  else front.cursors.remove(open.id);
  return bytesOf(row);
}

async function killCursors({ command, front }: Call): Promise<Answer> {
  const { cursors = [] } = deserialize(command.body, { promoteLongs: false }) as { cursors?: unknown[] };
  const ids = cursors.map((id) => BigInt(String(id)));
  const killed = ids.filter((id) => front.cursors.remove(id));
  await discardCursors(front, killed);
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
  find: findPage,
  aggregate,
  listCollections: cursor(SQL.listCollections),
  listIndexes: cursor(SQL.listIndexes),
  getMore,
  killCursors,
  count,
  distinct: single(SQL.distinct),
};
