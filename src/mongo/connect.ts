import mongoose, { type Connection, type mongo } from 'mongoose';
import type { BatchDoc, CampaignDoc, ClaimDoc, ConversationDoc, OperationDoc, TexterDoc } from './documents.ts';
import { createModels, ensureIndexes, type Models } from './models.ts';

export interface MongoOptions {
  readonly uri: string;
  readonly connectionsMax: number;
  /** How long a command may wait for a server to talk to. */
  readonly serverSelectionTimeoutMs: number;
}

/** An open database: mongoose's models for its shape, the driver's collections for the work. */
export class Database {
  readonly models: Models;
  private readonly connection: Connection;

  private constructor(connection: Connection) {
    this.connection = connection;
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
    });
    return new Database(await connection.asPromise());
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
    await ensureIndexes(this.models);
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
    await this.connection.close();
  }

  private collection<Doc extends mongo.Document>(name: string): mongo.Collection<Doc> {
    return this.client.db(this.connection.name).collection<Doc>(name);
  }
}

/** The server's code for a unique index's refusal. */
const DUPLICATE_KEY = 11_000;

export function isDuplicateKey(error: unknown): boolean {
  return typeof error === 'object' && error !== null && 'code' in error && error.code === DUPLICATE_KEY;
}
