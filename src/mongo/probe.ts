import { randomUUID } from 'node:crypto';
import type { mongo } from 'mongoose';
import type { Database } from './database.ts';
import { MAJORITY } from './connect.ts';

/** A document that only one probe reads and writes. It is in the collection `schema`, beside the schema version. */
interface ProbeDoc {
  _id: string;
  at: Date;
  value: number;
}

/** A server that waits for the other transaction, instead of answering, must not stop the probe. */
const STATEMENT_MS_MAX = 2_000;
/** A process that was killed during its probe has left a document. */
const LEFT_AFTER_MS = 600_000;
const PREFIX = 'probe:';
/** `;` follows `:`. */
const IDS = { $gt: PREFIX, $lt: 'probe;' } as const;

/** Tries a feature of the database on a document of its own, which is deleted afterwards. */
export class Probe {
  readonly client: mongo.MongoClient;
  private readonly probes: mongo.Collection<ProbeDoc>;
  private readonly id = `${PREFIX}${randomUUID()}`;

  private constructor({ client, schema }: Database) {
    this.client = client;
    this.probes = schema as unknown as mongo.Collection<ProbeDoc>;
  }

  static async run<Result>(database: Database, work: (probe: Probe) => Promise<Result>): Promise<Result> {
    const probe = new Probe(database);
    const at = database.now();
    await probe.probes.deleteMany({ _id: IDS, at: { $lt: new Date(at.getTime() - LEFT_AFTER_MS) } });
    await probe.probes.insertOne({ _id: probe.id, at, value: 0 });
    try {
      return await work(probe);
    } finally {
      await probe.probes.deleteOne({ _id: probe.id }, { maxTimeMS: STATEMENT_MS_MAX });
    }
  }

  /** Reads the value outside of transactions, as it is now. */
  async read(): Promise<number | undefined> {
    return this.valueWith({ readConcern: { level: 'local' } });
  }

  async readIn(session: mongo.ClientSession): Promise<number | undefined> {
    return this.valueWith({ session });
  }

  /** Reads the value in a snapshot outside of transactions. */
  async readSnapshot(session: mongo.ClientSession): Promise<number | undefined> {
    return this.valueWith({ session, readConcern: { level: 'snapshot' } });
  }

  async write(session?: mongo.ClientSession): Promise<void> {
    const options = { maxTimeMS: STATEMENT_MS_MAX, ...(session && { session }) };
    await this.probes.updateOne({ _id: this.id }, { $inc: { value: 1 } }, options);
  }

  /** Calls `work` with a transaction that is aborted in the end. */
  async inTransaction<Result>(work: (session: mongo.ClientSession) => Promise<Result>): Promise<Result> {
    return this.client.withSession(async (session) => {
      session.startTransaction({ readConcern: { level: 'snapshot' }, writeConcern: MAJORITY });
      try {
        return await work(session);
      } finally {
        if (session.inTransaction()) await session.abortTransaction();
      }
    });
  }

  private async valueWith(options: mongo.FindOneOptions): Promise<number | undefined> {
    const found = await this.probes.findOne({ _id: this.id }, { maxTimeMS: STATEMENT_MS_MAX, ...options });
    return found?.value;
  }
}
