import mongoose, { type Connection, type mongo } from 'mongoose';
import type { BatchDoc, CampaignDoc, ClaimDoc, ConversationDoc, OperationDoc, TexterDoc } from './documents.ts';
import { buildIndexes, compareIndexes } from './build-indexes.ts';
import { createModels, type Models } from './models.ts';
import { ServerClock } from './server-clock.ts';

export interface MongoOptions {
  readonly uri: string;
  readonly connectionsMax: number;
  /** How long a command may wait for a server to talk to. */
  readonly serverSelectionTimeoutMs: number;
}

/**
 * For lists that must be whole: the server answers them in one batch, as far as a message goes (16 MB). Between two
 * batches a cursor may go on by where rows lie; one that is written meanwhile lies elsewhere, and comes twice or not at
 * all.
 */
export const IN_ONE_BATCH = { batchSize: 100_000 } as const;

/** An open database: mongoose's models for its shape, the driver's collections for the work. */
export class Database {
  readonly models: Models;
  private readonly connection: Connection;
  private readonly clock: ServerClock;

  private constructor(connection: Connection, clock: ServerClock) {
    this.connection = connection;
    this.clock = clock;
    this.models = createModels(connection);
  }

  /** Connects, and fails within `serverSelectionTimeoutMs` when there is nobody. */
  static async open(options: MongoOptions): Promise<Database> {
    const connection = mongoose.createConnection(options.uri, {
      maxPoolSize: options.connectionsMax,
      serverSelectionTimeoutMS: options.serverSelectionTimeoutMs,
      bufferCommands: false,
      autoIndex: false,
      autoCreate: false,
      // A move is done when a majority has it: a failover must not take it back.
      writeConcern: { w: 'majority' },
      readConcern: { level: 'majority' },
      // Whatever the address says: a receipt added up on a server that lags behind would be short for ever.
      readPreference: 'primary',
    });
    await connection.asPromise();
    return new Database(connection, await ServerClock.start(() => timeOf(connection)));
  }

  /** What time it is for all workers alike: their own clocks may differ. */
  now(): Date {
    return this.clock.now();
  }

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

  /** The same collection as the operations', as claims write it. */
  get claims(): mongo.Collection<ClaimDoc> {
    return this.collection('operations');
  }

  get batches(): mongo.Collection<BatchDoc> {
    return this.collection('batches');
  }

  get client(): mongo.MongoClient {
    return this.connection.getClient();
  }

  async ensureIndexes(): Promise<void> {
    for (const model of Object.values(this.models)) await model.createCollection();
    await buildIndexes(this, (await compareIndexes(this)).missing);
  }

  /**
   * Runs `work` in a transaction, again from the start when it meets a conflict or a failover: inside it nothing may be
   * told to anybody else. Returns what the run that was committed returned.
   */
  async transaction<Result>(work: (session: mongo.ClientSession) => Promise<Result>): Promise<Result> {
    return this.client.withSession((session) =>
      session.withTransaction(() => work(session), {
        readConcern: { level: 'snapshot' },
        writeConcern: { w: 'majority' },
      }),
    );
  }

  async command(command: mongo.Document): Promise<mongo.Document> {
    return this.client.db(this.connection.name).command(command);
  }

  async close(): Promise<void> {
    this.clock.stop();
    await this.connection.close();
  }

  private collection<Doc extends mongo.Document>(name: string): mongo.Collection<Doc> {
    return this.client.db(this.connection.name).collection<Doc>(name);
  }
}

async function timeOf(connection: Connection): Promise<Date> {
  const hello = await connection.getClient().db('admin').command({ hello: 1 });
  return hello['localTime'] as Date;
}

/** The server's code for a unique index's refusal. */
const DUPLICATE_KEY = 11_000;

export function isDuplicateKey(error: unknown): boolean {
  return typeof error === 'object' && error !== null && 'code' in error && error.code === DUPLICATE_KEY;
}
