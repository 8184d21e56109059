import mongoose, { type Connection } from 'mongoose';
import { Refusal } from '../domain/errors.ts';
import { requireDriverOptions } from './driver-options.ts';
import { databaseNameIn } from './mongodb-address.ts';

/** How long a write waits for the majority of the members. Without a limit it would wait for ever while they are away. */
const WRITE_TIMEOUT_MS = 10_000;

/** A failover must not take back a write that was reported as done. */
export const MAJORITY = { w: 'majority', wtimeoutMS: WRITE_TIMEOUT_MS } as const;

export interface MongoOptions {
  readonly uri: string;
  readonly connectionsMax: number;
  /** How long a command waits for a server that can execute it. */
  readonly serverSelectionTimeoutMs: number;
}

/** Connects to the primary. Throws after `serverSelectionTimeoutMs` if no server answers. */
export async function connect(options: MongoOptions): Promise<Connection> {
  requireDriverOptions(options.uri);
  const connection = mongoose.createConnection(options.uri, {
    dbName: databaseNameIn(options.uri),
    maxPoolSize: options.connectionsMax,
    serverSelectionTimeoutMS: options.serverSelectionTimeoutMs,
    bufferCommands: false,
    autoIndex: false,
    autoCreate: false,
    writeConcern: MAJORITY,
    readConcern: { level: 'majority' },
    // Overrides the address. A receipt that is added up from a lagging secondary would stay too small.
    readPreference: 'primary',
  });
  try {
    await connection.asPromise();
    await refuseOneOfSeveral(connection);
    return connection;
  } catch (error) {
    await connection.close().catch(() => undefined);
    throw error;
  }
}

/** A direct connection stays with its member. After a failover that member is a secondary, which refuses every write. */
async function refuseOneOfSeveral(connection: Connection): Promise<void> {
  const client = connection.getClient();
  if (!client.options.directConnection) return;
  const { hosts } = await client.db('admin').command({ hello: 1 });
  const memberCount = Array.isArray(hosts) ? hosts.length : 1;
  if (memberCount < 2) return;
  throw new Refusal('bad-config', {
    message: `MONGODB_URI has directConnection=true, but the replica set has ${memberCount} members: remove the option`,
    expected: 'an address that finds the primary of the replica set',
    received: `directConnection to one of ${memberCount} members`,
  });
}
