// A thin MongoDB wire-protocol front for PostgreSQL + the DocumentDB extension: BSON passes through untouched.
import net from 'node:net';
import pg from 'pg';
import { deserialize, serialize, Long, ObjectId, UUID } from 'bson';

const toBson = (v) =>
  typeof v === 'string' && v.startsWith('BSONHEX') ? Buffer.from(v.slice(7), 'hex') : v === 't' ? [1] : v;
const RAW = { getTypeParser: () => toBson };
const PORT = Number(process.env.PORT ?? 27117);
const pool = new pg.Pool({
  host: '127.0.0.1',
  port: Number(process.env.PGPORT ?? 9712),
  user: 'postgres',
  database: 'postgres',
  max: Number(process.env.PGMAX ?? 60),
});
pool.on('error', () => {});
const SESSION_INIT =
  'SET documentdb_core.bsonUseEJson TO false; SET search_path TO documentdb_api,documentdb_core,public';
pool.on('connect', (c) => {
  c.query(SESSION_INIT);
});

const processId = new ObjectId();
const hello = () => ({
  helloOk: true,
  ismaster: true,
  isWritablePrimary: true,
  secondary: false,
  setName: 'rs0',
  setVersion: 1,
  hosts: [`127.0.0.1:${PORT}`],
  me: `127.0.0.1:${PORT}`,
  primary: `127.0.0.1:${PORT}`,
  topologyVersion: { processId, counter: Long.fromNumber(0) },
  maxBsonObjectSize: 16777216,
  maxMessageSizeBytes: 48000000,
  maxWriteBatchSize: 100000,
  localTime: new Date(),
  logicalSessionTimeoutMinutes: 30,
  connectionId: 1,
  minWireVersion: 0,
  maxWireVersion: 21,
  readOnly: false,
  ok: 1,
});

// documentdb SQLSTATEs: 'M' + 4 chars, base 32-ish; the extension ships the numeric code in that text
const codeOf = (e) => {
  if (e.code === '23505' || e.code === '23P01') return [11000, 'DuplicateKey'];
  if (e.code === '40001' || e.code === '40P01' || e.code === '55P03') return [112, 'WriteConflict'];
  if (/^M/.test(e.code ?? '')) return [Number(mongoCode(e.code)), undefined];
  return [8000, 'InternalError'];
};
const mongoCode = (s) => parseInt(s.slice(1), 36) || 2;

const transactions = new Map(); // lsid:txn -> client
const cursors = new Map(); // cursorId -> {db, continuation, client?}
const sid = (c) => (c.lsid?.id ? Buffer.from(c.lsid.id.buffer).toString('hex') : '');

const CMD = {
  insert: ['select p_result, p_success from documentdb_api.insert($1,$2,$3,$4)', 'write'],
  update: ['select p_result, p_success from documentdb_api.update($1,$2,$3,$4)', 'write'],
  delete: ['select p_result, p_success from documentdb_api.delete($1,$2,$3,$4)', 'write'],
  findAndModify: ['select p_result, p_success from documentdb_api.find_and_modify($1,$2,$3)', 'fam'],
  find: [
    'select cursorpage, continuation, persistconnection, cursorid from documentdb_api.find_cursor_first_page($1,$2)',
    'cursor',
  ],
  aggregate: [
    'select cursorpage, continuation, persistconnection, cursorid from documentdb_api.aggregate_cursor_first_page($1,$2)',
    'cursor',
  ],
  listCollections: [
    'select cursorpage, continuation, persistconnection, cursorid from documentdb_api.list_collections_cursor_first_page($1,$2)',
    'cursor',
  ],
  listIndexes: [
    'select cursorpage, continuation, persistconnection, cursorid from documentdb_api.list_indexes_cursor_first_page($1,$2)',
    'cursor',
  ],
  count: ['select document from documentdb_api.count_query($1,$2)', 'doc'],
  distinct: ['select document from documentdb_api.distinct_query($1,$2)', 'doc'],
  createIndexes: ['select documentdb_api_internal.create_indexes_non_concurrently($1,$2,true)', 'doc'],
  dropIndexes: ['call documentdb_api.drop_indexes($1,$2)', 'doc'],
  collMod: ['select documentdb_api.coll_mod($1,$3,$2)', 'coll'],
  create: ['select documentdb_api.create_collection_view($1,$2)', 'doc'],
};

async function run(client, name, db, cmd, raw, seq) {
  const [sql, kind] = CMD[name];
  const values =
    kind === 'write'
      ? [db, raw, seq, txnId(cmd)]
      : kind === 'fam'
        ? [db, raw, txnId(cmd)]
        : kind === 'coll'
          ? [db, raw, cmd[name]]
          : [db, raw];
  const text = values.some((v) => v === undefined) ? sql : sql;
  const r = await client.query({ name: `c_${name}`, text, values, rowMode: 'array', types: RAW });
  return r.rows[0];
}
const txnId = (c) => (c.txnNumber !== undefined && c.autocommit === undefined ? `${sid(c)}-${c.txnNumber}` : null);

async function dispatch(name, cmd, raw, seq) {
  const db = cmd.$db ?? 'admin';
  switch (name.toLowerCase()) {
    case 'hello':
    case 'ismaster':
      return hello();
    case 'ping':
    case 'endsessions':
    case 'killcursors':
    case 'refreshsessions':
    case 'killsessions':
      if (name.toLowerCase() === 'killcursors')
        for (const c of cmd.cursors ?? []) {
          const k = String(c);
          cursors
            .get(k)
            ?.client?.query('ROLLBACK')
            .finally?.(() => {});
          cursors.delete(k);
        }
      return { ok: 1 };
    case 'buildinfo':
      return { version: '7.0.0', versionArray: [7, 0, 0, 0], maxBsonObjectSize: 16777216, ok: 1 };
    case 'getparameter':
      return { ok: 1, featureCompatibilityVersion: { version: '7.0' } };
    case 'serverstatus':
      return { ok: 1, version: '7.0.0', uptime: process.uptime(), connections: { current: 1 } };
    case 'listdatabases': {
      const r = await pool.query({
        text: 'select documentdb_api.list_databases($1)',
        values: [raw],
        rowMode: 'array',
        types: RAW,
      });
      return r.rows[0][0];
    }
    case 'dropdatabase':
      await pool.query('select documentdb_api.drop_database($1)', [db]);
      return { ok: 1, dropped: db };
    case 'drop': {
      const r = await pool.query('select documentdb_api.drop_collection($1,$2) as d', [db, cmd.drop]);
      if (!r.rows[0].d) throw Object.assign(new Error('ns not found'), { mongo: [26, 'NamespaceNotFound'] });
      return { ok: 1 };
    }
    case 'commitTransaction'.toLowerCase():
    case 'aborttransaction': {
      const k = `${sid(cmd)}-${cmd.txnNumber}`;
      const c = transactions.get(k);
      if (!c) {
        if (name === 'commitTransaction')
          throw Object.assign(new Error('no such transaction'), {
            mongo: [251, 'NoSuchTransaction'],
            labels: ['TransientTransactionError'],
          });
        return { ok: 1 };
      }
      transactions.delete(k);
      try {
        await c.query(name === 'commitTransaction' ? 'COMMIT' : 'ROLLBACK');
      } finally {
        c.release();
      }
      return { ok: 1 };
    }
    case 'getmore': {
      const k = String(cmd.getMore);
      const cur = cursors.get(k);
      if (!cur) throw Object.assign(new Error(`cursor id ${k} not found`), { mongo: [43, 'CursorNotFound'] });
      const c = cur.client ?? (cmd.autocommit === false ? transactions.get(`${sid(cmd)}-${cmd.txnNumber}`) : pool);
      const r = await c.query({
        name: 'getmore',
        text: 'select cursorpage, continuation from documentdb_api.cursor_get_more($1,$2,$3)',
        values: [cur.db, raw, cur.continuation],
        rowMode: 'array',
        types: RAW,
      });
      const [page, cont] = r.rows[0];
      if (cont) cur.continuation = cont;
      else {
        cursors.delete(k);
        if (cur.client) {
          await cur.client.query('COMMIT');
          cur.client.release();
        }
      }
      return page;
    }
  }
  const key = Object.keys(CMD).find((k) => k.toLowerCase() === name.toLowerCase());
  if (!key) throw Object.assign(new Error(`no such command: '${name}'`), { mongo: [59, 'CommandNotFound'] });
  const kind = CMD[key][1];
  let client = pool,
    inTxn = false,
    own = false;
  if (cmd.autocommit === false) {
    const k = `${sid(cmd)}-${cmd.txnNumber}`;
    inTxn = true;
    if (cmd.startTransaction) {
      client = await pool.connect();
      await client.query('BEGIN ISOLATION LEVEL REPEATABLE READ');
      transactions.set(k, client);
    } else client = transactions.get(k);
    if (!client)
      throw Object.assign(new Error('Given transaction number does not match any in-progress transactions.'), {
        mongo: [251, 'NoSuchTransaction'],
        labels: ['TransientTransactionError'],
      });
  } else if (kind === 'cursor') {
    client = await pool.connect();
    own = true;
    await client.query('BEGIN');
  }
  try {
    const row = await run(client, key, db, cmd, raw, seq ?? null);
    if (kind === 'cursor') {
      const [page, cont, persist, id] = row;
      if (cont) {
        const cid = deserialize(page, { promoteLongs: false, useBigInt64: false }).cursor.id;
        cursors.set(String(cid), { db, continuation: cont, client: own && persist?.[0] ? client : undefined });
        if (own && persist?.[0]) own = false;
      }
      if (own) {
        await client.query('COMMIT');
        client.release();
        own = false;
      }
      return page;
    }
    return row[0];
  } catch (e) {
    if (own) {
      await client.query('ROLLBACK').catch(() => {});
      client.release();
    }
    if (inTxn) {
      const k = `${sid(cmd)}-${cmd.txnNumber}`;
      transactions.delete(k);
      await client.query('ROLLBACK').catch(() => {});
      client.release();
      if (['40001', '40P01'].includes(e.code)) e.labels = ['TransientTransactionError'];
    }
    throw e;
  }
}

const DEBUG = process.env.DEBUG_GW;
function reply(sock, requestId, doc, legacy) {
  const body = Buffer.isBuffer(doc) ? doc : Buffer.from(serialize(doc));
  const head = legacy ? Buffer.alloc(16 + 20) : Buffer.alloc(16 + 5);
  head.writeInt32LE(head.length + body.length, 0);
  head.writeInt32LE(1, 4);
  head.writeInt32LE(requestId, 8);
  head.writeInt32LE(legacy ? 1 : 2013, 12);
  if (legacy) {
    head.writeInt32LE(8, 16);
    head.writeInt32LE(1, 32);
  }
  sock.write(Buffer.concat([head, body]));
}
async function handle(sock, msg) {
  const requestId = msg.readInt32LE(4),
    op = msg.readInt32LE(12);
  if (op === 2004) {
    // OP_QUERY: handshake only
    return reply(sock, requestId, hello(), true);
  }
  const flags = msg.readUInt32LE(16);
  let p = 20,
    raw,
    seq;
  const end = msg.length - (flags & 1 ? 4 : 0);
  while (p < end) {
    const kind = msg[p++];
    const len = msg.readInt32LE(p);
    if (kind === 0) {
      raw = msg.subarray(p, p + len);
    } else {
      const z = msg.indexOf(0, p + 4);
      seq = msg.subarray(z + 1, p + len);
    }
    p += len;
  }
  const cmd = deserialize(raw, { promoteValues: true, promoteLongs: false, bsonRegExp: true });
  const name = Object.keys(cmd)[0];
  if (name === 'hello' || name === 'isMaster' || name === 'ismaster') {
    if (flags & (1 << 16)) {
      /* exhaust: answer once, after the await time */ await new Promise((r) =>
        setTimeout(r, Number(cmd.maxAwaitTimeMS ?? 0)),
      );
    }
  }
  let out;
  if (DEBUG) console.error('>', name);
  try {
    out = await dispatch(name, cmd, raw, seq);
  } catch (e) {
    const [code, codeName] = e.mongo ?? codeOf(e);
    if (DEBUG) console.error(name, e.code, e.message);
    out = { ok: 0, errmsg: e.message, code, codeName, ...(e.labels ? { errorLabels: e.labels } : {}), pg: e.code };
  }
  if (!out || typeof out !== 'object') console.error('BAD', name, out);
  if (!(flags & 2)) reply(sock, requestId, out);
}
net
  .createServer((sock) => {
    sock.setNoDelay(true);
    let buf = Buffer.alloc(0);
    let chain = Promise.resolve();
    sock.on('error', () => {});
    sock.on('data', (d) => {
      buf = buf.length ? Buffer.concat([buf, d]) : d;
      while (buf.length >= 4) {
        const n = buf.readInt32LE(0);
        if (buf.length < n) break;
        const m = buf.subarray(0, n);
        buf = buf.subarray(n);
        chain = chain
          .then(() => handle(sock, m))
          .catch((e) => {
            console.error(e);
            sock.destroy();
          });
      }
    });
  })
  .listen(PORT, '127.0.0.1', () => console.log(`gateway on ${PORT}`));
