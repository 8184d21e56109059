import { arch, cpus, platform, totalmem } from 'node:os';
import { Long, UUID, type Document } from 'bson';
import type { Call, Handler } from '../front.js';
import {
  BSON_BYTES_MAX,
  MESSAGE_BYTES_MAX,
  SESSION_TIMEOUT_MINUTES,
  WIRE_VERSION_MAX,
  WRITE_BATCH_MAX,
} from '../limits.js';

/** Commands about the server itself. It calls itself 7.0, the version whose wire protocol and answers it follows. */

const VERSION = '7.0.0';
const SET_NAME = 'rs0';
const BUILT_AS = 'Baton development wire front for PostgreSQL + DocumentDB; not MongoDB';

/** A primary of a replica set of one: drivers use transactions and retryable writes only with a set. */
export function helloAnswer({ front: { identity }, clientId }: Pick<Call, 'front' | 'clientId'>): Document {
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

function serverStatus({ front }: Call): Document {
  const uptime = (Date.now() - front.identity.startedAt.getTime()) / 1000;
  return {
    host: `${front.identity.host}:${front.identity.port}`,
    version: VERSION,
    process: BUILT_AS,
    pid: process.pid,
    uptime,
    localTime: new Date(),
    connections: { current: front.clientCount() },
    transactions: { currentOpen: front.transactions.openCount },
    metrics: { cursor: { open: { total: front.cursors.openCount } } },
    postgresConnections: front.pool.size + front.transactionPool.size,
    repl: { setName: SET_NAME, isWritablePrimary: true },
    ok: 1,
  };
}

function hostInfo(): Document {
  const system = { cpuArch: arch(), numCores: cpus().length, memSizeMB: Math.round(totalmem() / 2 ** 20) };
  return { system, os: { type: platform() }, extra: {}, ok: 1 };
}

function replSetGetStatus({ front: { identity } }: Call): Document {
  const name = `${identity.host}:${identity.port}`;
  return { set: SET_NAME, myState: 1, members: [{ _id: 0, name, state: 1, stateStr: 'PRIMARY', self: true }], ok: 1 };
}

export const SERVER_COMMANDS: Record<string, Handler> = {
  hello: helloAnswer,
  isMaster: helloAnswer,
  ismaster: helloAnswer,
  ping: ok,
  buildInfo,
  buildinfo: buildInfo,
  serverStatus,
  hostInfo,
  replSetGetStatus,
  getParameter: () => ({ featureCompatibilityVersion: { version: '7.0' }, ok: 1 }),
  setParameter: ok,
  connectionStatus: () => ({ authInfo: { authenticatedUsers: [], authenticatedUserRoles: [] }, ok: 1 }),
  whatsmyuri: ({ front: { identity } }) => ({ you: identity.host, ok: 1 }),
  getCmdLineOpts: () => ({ argv: [], parsed: {}, ok: 1 }),
  getLog: () => ({ totalLinesWritten: 0, log: [], ok: 1 }),
  startSession: () => ({ id: { id: new UUID() }, timeoutMinutes: SESSION_TIMEOUT_MINUTES, ok: 1 }),
};
