import mongoose, { type Connection, type mongo, type Query } from 'mongoose';
import pTimeout from 'p-timeout';
import { Refusal } from '../domain/errors.ts';
import type {
  BatchDoc,
  CampaignDoc,
  ClaimDoc,
  ConversationDoc,
  OperationDoc,
  SchemaDoc,
  TexterDoc,
} from './documents.ts';
import { MAJORITY } from './majority.ts';
import { atAnyMoment } from './moment.ts';
import { createModels, type Models } from './models.ts';
import { ServerClock } from './server-clock.ts';
import { repeated, transactionOnce, type TransactionOptions } from './transaction.ts';

export interface MongoOptions {
  readonly uri: string;
  readonly connectionsMax: number;
  /** How long a command waits for a server that can execute it. */
  readonly serverSelectionTimeoutMs: number;
}

/** After this time, closing ends without the answer of the server. */
const CLOSE_MS_MAX = 1_000;

/**
 * For lists that must be complete. A cursor with several batches can return a document twice or not at all if another
 * process changes the document between two batches. This batch size makes the server return everything at once, up to
 * the size of a message (16 MB).
 */
export const IN_ONE_BATCH = { batchSize: 100_000 } as const;

/** An open database. Opening and reading create nothing: only `baton migrate` creates collections and indexes. */
export class Database {
  readonly models: Models;
  private readonly connection: Connection;
  private readonly clock: ServerClock;

  private constructor(connection: Connection, clock: ServerClock) {
    this.connection = connection;
    this.clock = clock;
    this.models = createModels(connection);
  }

  /** Connects. Throws after `serverSelectionTimeoutMs` if no server answers. */
  static async open(options: MongoOptions): Promise<Database> {
    const connection = mongoose.createConnection(options.uri, {
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
      return new Database(connection, await ServerClock.start(() => readServerTime(connection)));
    } catch (error) {
      await connection.close().catch(() => undefined);
      throw error;
    }
  }

  /** Returns the time of the database server. The clocks of the workers can differ. */
  now(): Date {
    return this.clock.now();
  }

  /*
   * Stores use the models, and read lean documents. These statements use the collections of the driver instead, because
   * casting takes CPU time of the worker. Measured on the development server, with the driver and with a model:
   * - `BatchApplication`, writing a batch of 2,000 conversations: 4.5 and 7 ms of CPU
   * - `MongoRoundStore`, a round of 50 claims of 10 conversations: 11 and 18 ms of CPU
   * - `MongoBatchStore`, inserting a batch with 2,000 ids: 2.5 and 8.9 ms of CPU
   * - `MongoOperationStore`, inserting an operation: 6.8 and 7.6 ms for a whole single move
   * - `MongoContactStore`, inserting 1,000 contacts: 5 and 89 ms of CPU
   * `RangePages` and `readUnknown` use them too, because a model would cast or refuse values of the wrong type, and these
   * queries look for such values.
   */

  get campaigns(): mongo.Collection<CampaignDoc> {
    return this.collection('campaigns');
  }

  get texters(): mongo.Collection<TexterDoc> {
    return this.collection('texters');
  }

  get conversations(): mongo.Collection<ConversationDoc> {
    return this.collection('conversations');
  }

  get operations(): mongo.Collection<OperationDoc> {
    return this.collection('operations');
  }

  /** The same collection as {@link operations}, with the type of the documents of claims. */
  get claims(): mongo.Collection<ClaimDoc> {
    return this.collection('operations');
  }

  get batches(): mongo.Collection<BatchDoc> {
    return this.collection('batches');
  }

  get schema(): mongo.Collection<SchemaDoc> {
    return this.collection('schema');
  }

  get name(): string {
    return this.connection.name;
  }

  get client(): mongo.MongoClient {
    return this.connection.getClient();
  }

  /**
   * Runs `work` in a transaction and returns its result. After a conflict or a failover `work` runs again from the
   * start, so it must not do anything that a rollback does not undo: no jobs, no messages, no log lines. Throws
   * `WriteConflict` when the transaction still meets other writers after `repeatForMs`.
   */
  async transaction<Result>(
    work: (session: mongo.ClientSession) => Promise<Result>,
    options: TransactionOptions = {},
  ): Promise<Result> {
    return this.client.withSession((session) => repeated(() => transactionOnce(session, work), options));
  }

  /**
   * Runs reads that all see the moment of the first one, without a transaction. Each read must name this session and the
   * read concern `snapshot`. Runs again when the server no longer has that moment.
   */
  atOneMoment<Result>(read: (session: mongo.ClientSession) => Promise<Result>): Promise<Result> {
    return atAnyMoment(() => this.client.withSession({ snapshot: true }, read));
  }

  async command(command: mongo.Document): Promise<mongo.Document> {
    return this.driver.command(command);
  }

  async listCollections(): Promise<readonly Partial<mongo.CollectionInfo>[]> {
    return this.driver.listCollections().toArray();
  }

  async createCollection(name: string): Promise<void> {
    await this.driver.createCollection(name);
  }

  /** The driver tells the server which sessions end, and waits for the answer. A silent server would never answer. */
  async close(): Promise<void> {
    this.clock.stop();
    await pTimeout(this.connection.close(), { milliseconds: CLOSE_MS_MAX, fallback: () => undefined });
  }

  private get driver(): mongo.Db {
    return this.client.db(this.connection.name);
  }

  private collection<Doc extends mongo.Document>(name: string): mongo.Collection<Doc> {
    return this.driver.collection<Doc>(name);
  }
}

/** Reads the documents of a query one after the other. A cursor of mongoose stays open when its loop ends early. */
export async function* stream<Doc>(
  query: Pick<Query<unknown, unknown>, 'lean'>,
  batchSize: number,
): AsyncGenerator<Doc> {
  const cursor = query.lean().cursor({ batchSize });
  try {
    for await (const doc of cursor) yield doc as Doc;
  } finally {
    await cursor.close();
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

async function readServerTime(connection: Connection): Promise<Date> {
  const hello = await connection.getClient().db('admin').command({ hello: 1 });
  return hello['localTime'] as Date;
}
