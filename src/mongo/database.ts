import type { Connection, mongo, Query } from 'mongoose';
import pTimeout from 'p-timeout';
import { connect, type MongoOptions } from './connect.ts';
import type {
  BatchDoc,
  CampaignDoc,
  ClaimDoc,
  ConversationDoc,
  CreditDoc,
  OperationDoc,
  OrganisationDoc,
  ProcessDoc,
  SchemaDoc,
  TexterDoc,
} from './documents.ts';
import { createModels, type Models } from './models.ts';
import { ProcessWatch } from './process-watch.ts';
import { ServerClock } from './server-clock.ts';
import { TransactionSessions } from './transaction-sessions.ts';
import { repeated, transactionOnce, type TransactionOptions, atAnyMoment } from './transaction.ts';

type ErrorListener = (error: Error) => void;

/** After this time, each step of closing ends without the answer of the server. */
const CLOSE_STEP_MS_MAX = 500;

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
  private readonly sessions: TransactionSessions;
  private readonly watch: ProcessWatch;

  private constructor(connection: Connection, clock: ServerClock, options: MongoOptions, onRefused: ErrorListener) {
    this.connection = connection;
    this.clock = clock;
    this.models = createModels(connection);
    this.sessions = new TransactionSessions(this.client, this.collection<ProcessDoc>('processes'));
    this.watch = new ProcessWatch({ ...options, database: connection.name, sessions: this.sessions, onRefused });
  }

  /**
   * Connects. Throws after `serverSelectionTimeoutMs` if no server answers. `onRefused` is called when the server refuses to
   * end the transactions of a process that has died. Default: no callback.
   */
  static async open(options: MongoOptions, onRefused: ErrorListener = () => undefined): Promise<Database> {
    const connection = await connect(options);
    try {
      return new Database(connection, await ServerClock.start(() => readServerTime(connection)), options, onRefused);
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
   * - `MongoOperationStore`, inserting an operation: 6.8 and 7.6 ms for a whole single move. Ending an operation with 5,000
   *   texters, in one piece: 60 and 200 ms of CPU
   * - `MongoContactStore`, inserting 1,000 contacts: 5 and 89 ms of CPU
   * `RangePages` and `readUnknown` use them too, because a model would cast or refuse values of the wrong type, and these
   * queries look for such values.
   */

  get campaigns(): mongo.Collection<CampaignDoc> {
    return this.collection('campaigns');
  }

  get credits(): mongo.Collection<CreditDoc> {
    return this.collection('credits');
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

  get organisations(): mongo.Collection<OrganisationDoc> {
    return this.collection('organisations');
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
    return this.sessions.use((session) =>
      repeated(async () => {
        await this.sessions.ensureRecorded(session);
        return transactionOnce(session, work);
      }, options),
    );
  }

  /**
   * Runs reads that all see the moment of the first one, without a transaction. Each read must name this session and the
   * read concern `snapshot`. Runs again when the server no longer has that moment.
   */
  atOneMoment<Result>(read: (session: mongo.ClientSession) => Promise<Result>): Promise<Result> {
    return atAnyMoment(() => this.client.withSession({ snapshot: true }, read));
  }

  /** Opens a session whose snapshot reads all see the moment of the first one. The caller ends it. */
  openMoment(): mongo.ClientSession {
    return this.client.startSession({ snapshot: true });
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
    await withTimeLimit(this.sessions.close());
    await withTimeLimit(Promise.all([this.watch.close(), this.connection.close()]));
  }

  private get driver(): mongo.Db {
    return this.client.db(this.connection.name);
  }

  private collection<Doc extends mongo.Document>(name: string): mongo.Collection<Doc> {
    return this.driver.collection<Doc>(name);
  }
}

async function withTimeLimit(closing: Promise<unknown>): Promise<void> {
  await pTimeout(closing, { milliseconds: CLOSE_STEP_MS_MAX, fallback: () => undefined }).catch(() => undefined);
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

async function readServerTime(connection: Connection): Promise<Date> {
  const hello = await connection.getClient().db('admin').command({ hello: 1 });
  return hello['localTime'] as Date;
}
