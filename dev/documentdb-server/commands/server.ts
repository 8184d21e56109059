import { arch, cpus, platform, totalmem } from 'node:os';
import { Long, UUID, type Document } from 'bson';
import type { Call, Handler } from '../context.js';
import {
  BSON_BYTES_MAX,
  MESSAGE_BYTES_MAX,
  SESSION_TIMEOUT_MINUTES,
  WIRE_VERSION_MAX,
  WRITE_BATCH_MAX,
} from '../limits.js';

/** Commands about the server itself. It reports version 7.0, whose wire protocol and replies it implements. */

const VERSION = '7.0.0';
const SET_NAME = 'rs0';
const BUILT_AS = 'Baton development server for PostgreSQL + DocumentDB; not MongoDB';

/** Describes the primary of a replica set with one member. Without a set, drivers use no transactions. */
export function helloReply({ context: { identity }, clientId }: Pick<Call, 'context' | 'clientId'>): Document {
  const me = `${identity.host}:${identity.port}`;
  return {
    helloOk: true,
    ismaster: true,
    isWritablePrimary: true,
    secondary: false,
    setName: SET_NAME,
    setVersion: 1,
    hosts: [me],
    me,
    primary: me,
    topologyVersion: { processId: identity.processId, counter: Long.ZERO },
    maxBsonObjectSize: BSON_BYTES_MAX,
    maxMessageSizeBytes: MESSAGE_BYTES_MAX,
    maxWriteBatchSize: WRITE_BATCH_MAX,
    localTime: new Date(),
    logicalSessionTimeoutMinutes: SESSION_TIMEOUT_MINUTES,
    connectionId: clientId,
    minWireVersion: 0,
    maxWireVersion: WIRE_VERSION_MAX,
    readOnly: false,
    ok: 1,
  };
}

export function replicaSetUri({ host, port }: { host: string; port: number }): string {
  return `mongodb://${host}:${port}/?replicaSet=${SET_NAME}`;
}

const ok: Handler = () => ({ ok: 1 });

function buildInfo(): Document {
  return {
    version: VERSION,
    versionArray: VERSION.split('.').map(Number).concat(0),
    gitVersion: BUILT_AS,
    modules: [],
    bits: 64,
    debug: false,
    maxBsonObjectSize: BSON_BYTES_MAX,
    ok: 1,
  };
}

function serverStatus({ context }: Call): Document {
  const uptime = (Date.now() - context.identity.startedAt.getTime()) / 1000;
  return {
    host: `${context.identity.host}:${context.identity.port}`,
    version: VERSION,
    process: BUILT_AS,
    pid: process.pid,
    uptime,
    localTime: new Date(),
    connections: { current: context.clientCount() },
    transactions: { currentOpen: context.transactions.openCount },
    metrics: { cursor: { open: { total: context.cursors.openCount } } },
    postgresConnections: context.pool.size + context.transactionPool.size,
    repl: { setName: SET_NAME, isWritablePrimary: true },
    ok: 1,
  };
}

function hostInfo(): Document {
  const system = { cpuArch: arch(), numCores: cpus().length, memSizeMB: Math.round(totalmem() / 2 ** 20) };
  return { system, os: { type: platform() }, extra: {}, ok: 1 };
}

function replSetGetStatus({ context: { identity } }: Call): Document {
  const name = `${identity.host}:${identity.port}`;
  return { set: SET_NAME, myState: 1, members: [{ _id: 0, name, state: 1, stateStr: 'PRIMARY', self: true }], ok: 1 };
}

export const SERVER_COMMANDS: Record<string, Handler> = {
  hello: helloReply,
  isMaster: helloReply,
  ismaster: helloReply,
  ping: ok,
  buildInfo,
  buildinfo: buildInfo,
  serverStatus,
  hostInfo,
  replSetGetStatus,
  getParameter: () => ({ featureCompatibilityVersion: { version: '7.0' }, ok: 1 }),
  setParameter: ok,
  connectionStatus: () => ({ authInfo: { authenticatedUsers: [], authenticatedUserRoles: [] }, ok: 1 }),
  whatsmyuri: ({ context: { identity } }) => ({ you: identity.host, ok: 1 }),
  getCmdLineOpts: () => ({ argv: [], parsed: {}, ok: 1 }),
  getLog: () => ({ totalLinesWritten: 0, log: [], ok: 1 }),
  startSession: () => ({ id: { id: new UUID() }, timeoutMinutes: SESSION_TIMEOUT_MINUTES, ok: 1 }),
};
