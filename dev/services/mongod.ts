import { closeSync, existsSync, mkdirSync, openSync, readFileSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import mongoose from 'mongoose';
import { createTemporaryFolder } from './cleanup.ts';
import { LOOPBACK, onFreePort, startManagedServer, withFields, type ManagedServer } from './managed-server.ts';
import { errorMessage, SetupError } from './messages.ts';
import { killedWithParent, spawnChild, type Child, type StopSequence } from './processes.ts';

/** A real MongoDB: one member of a replica set, because Baton uses transactions. */
export interface Mongod extends ManagedServer {
  readonly uri: string;
  /** The folder with data and log. */
  readonly dir: string;
}

const SET_NAME = 'baton';
const ANSWER_TIMEOUT_MS = 500;
/** The default is half of the memory of the machine. */
const CACHE_GB = '1';
/** How long a stopping member lets commands finish. The default is 15 s. */
const QUIESCE_MS = '100';
/** Data that nobody keeps need no clean end, and MongoDB's journal survives the signal. */
const STOP_TEMPORARY: StopSequence = [];
const STOP_KEPT: StopSequence = [{ signal: 'SIGTERM', waitMs: 15_000 }];
const ALREADY_INITIALIZED = 23;

/** Starts `program` with its own port and data. `keptIn` is the folder of the data. Default: a temporary folder. */
export async function startMongod(program: string, keptIn?: string): Promise<Mongod> {
  const temporary = keptIn === undefined ? createTemporaryFolder(tmpdir()) : undefined;
  const dir = keptIn ?? temporary?.path ?? '';
  mkdirSync(join(dir, 'data'), { recursive: true });
  const start = (port: number): Promise<ManagedServer> => startAt(program, dir, port, temporary === undefined);
  try {
    const server = await (keptIn === undefined ? onFreePort(start) : startOnKeptPort(keptIn, start));
    return withFields(server, { uri: addressOf(server.port), dir }, () => temporary?.remove());
  } catch (error) {
    temporary?.remove();
    throw error;
  }
}

function startAt(program: string, dir: string, port: number, isKept: boolean): Promise<ManagedServer> {
  return startManagedServer({
    name: 'mongod',
    port,
    logFile: join(dir, 'mongod.log'),
    stopSequence: isKept ? STOP_KEPT : STOP_TEMPORARY,
    spawn: () => spawnMongod(program, dir, port),
    isReady: (pid) => isPrimary(port, pid),
  });
}

/** The configuration of the set contains the port, so that kept data need the port with which they began. */
async function startOnKeptPort(
  keptIn: string,
  start: (port: number) => Promise<ManagedServer>,
): Promise<ManagedServer> {
  const file = join(keptIn, 'port');
  if (!existsSync(file)) {
    const server = await onFreePort(start);
    writeFileSync(file, String(server.port));
    return server;
  }
  const port = Number(readFileSync(file, 'utf8'));
  return start(port).catch((error: unknown) => {
    if (!/address already in use/i.test(errorMessage(error))) throw error;
    throw new SetupError(
      `the database in ${keptIn} needs port ${port}, which another program uses: stop that program and start again`,
    );
  });
}

export function mongodArguments(dir: string, port: number): readonly string[] {
  return [
    ...['--dbpath', join(dir, 'data'), '--port', String(port), '--bind_ip', LOOPBACK, '--nounixsocket'],
    ...['--replSet', SET_NAME, '--wiredTigerCacheSizeGB', CACHE_GB],
    ...['--setParameter', `shutdownTimeoutMillisForSignaledShutdown=${QUIESCE_MS}`],
  ];
}

function spawnMongod(program: string, dir: string, port: number): Child {
  const log = openSync(join(dir, 'mongod.log'), 'a');
  try {
    return spawnChild(killedWithParent([program, ...mongodArguments(dir, port)]), { stdio: ['ignore', log, log] });
  } finally {
    closeSync(log);
  }
}

/** Direct connection: the driver need not find the set by its name. */
function addressOf(port: number): string {
  return `mongodb://${LOOPBACK}:${port}/?directConnection=true`;
}

/** True when this server, not another one on the same port, accepts writes. Makes a new server the only member of its set. */
async function isPrimary(port: number, pid: number): Promise<boolean> {
  const client = new mongoose.mongo.MongoClient(addressOf(port), { serverSelectionTimeoutMS: ANSWER_TIMEOUT_MS });
  try {
    const admin = client.db('admin');
    const status = await admin.command({ serverStatus: 1 });
    if (Number(status['pid']) !== pid) return false;
    const hello = await admin.command({ hello: 1 });
    if (hello['setName'] === undefined) await initiate(admin, port);
    return hello['isWritablePrimary'] === true && hello['setName'] !== undefined;
  } catch {
    return false;
  } finally {
    await client.close();
  }
}

/** A server that has just been initiated does not know its set for a moment. */
async function initiate(admin: mongoose.mongo.Db, port: number): Promise<void> {
  const config = { _id: SET_NAME, members: [{ _id: 0, host: `${LOOPBACK}:${port}` }] };
  await admin.command({ replSetInitiate: config }).catch((error: unknown) => {
    if ((error as { code?: unknown }).code !== ALREADY_INITIALIZED) throw error;
  });
}
