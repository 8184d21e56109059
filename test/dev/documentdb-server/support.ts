import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { deserialize, serialize, type Document } from 'bson';
import { mongo } from 'mongoose';
import { afterAll, beforeAll } from 'vitest';

/** The address of the database under test: the development server or a MongoDB. */
export function mongoUri(): string {
  const uri = process.env['MONGODB_URI'];
  if (uri === undefined)
    throw new Error('MONGODB_URI is not set. Use `npm test`, which starts the services and sets it.');
  return uri;
}

/** The address of PostgreSQL, or `undefined` when the servers of the environment are used. */
export function postgresAddress(): { host: string; port: number } | undefined {
  const [host, port] = process.env['BATON_DEV_POSTGRES']?.split(':') ?? [];
  return host === undefined || port === undefined ? undefined : { host, port: Number(port) };
}

interface OwnDatabase {
  readonly name: string;
  client: mongo.MongoClient;
  db: mongo.Db;
}

/** Returns a client and a new database for one test file, and drops the database at the end of the file. */
export function ownDatabase(purpose: string, uri: () => string = mongoUri): OwnDatabase {
  const own = { name: `${purpose}_${randomBytes(6).toString('hex')}` } as OwnDatabase;
  beforeAll(() => {
    own.client = new mongo.MongoClient(uri(), { maxPoolSize: 120 });
    own.db = own.client.db(own.name);
  });
  afterAll(async () => {
    await own.db.dropDatabase();
    await own.client.close();
  });
  return own;
}

export async function eventually(condition: () => boolean | Promise<boolean>, withinMs = 10_000): Promise<void> {
  const deadline = Date.now() + withinMs;
  while (!(await condition())) {
    if (Date.now() > deadline) throw new Error(`the condition did not become true within ${withinMs} ms`);
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}

export async function rejection(promise: Promise<unknown>): Promise<mongo.MongoError & Record<string, unknown>> {
  try {
    await promise;
  } catch (error) {
    return error as mongo.MongoError & Record<string, unknown>;
  }
  throw new Error('the promise was not rejected');
}

const HEAD_BYTES = 21;

/** Encodes an OP_MSG with one body section. */
export function opMsg(requestId: number, command: Document, flags = 0): Buffer {
  const body = serialize(command);
  const head = Buffer.alloc(HEAD_BYTES);
  head.writeInt32LE(HEAD_BYTES + body.length, 0);
  head.writeInt32LE(requestId, 4);
  head.writeInt32LE(2013, 12);
  head.writeUInt32LE(flags, 16);
  return Buffer.concat([head, body]);
}

/** Sends messages that no driver would send. */
export class RawClient {
  readonly socket: Socket;
  readonly replies: { flags: number; responseTo: number; document: Document }[] = [];
  #received = Buffer.alloc(0);
  #requests = 0;

  private constructor(socket: Socket) {
    this.socket = socket;
    socket.on('error', () => undefined);
    socket.on('data', (received: Buffer) => {
      this.#received = Buffer.concat([this.#received, received]);
      while (this.#received.length > 4 && this.#received.length >= this.#received.readInt32LE(0)) this.#readReply();
    });
  }

  static async connect(uri = mongoUri()): Promise<RawClient> {
    const { hostname, port } = new URL(uri);
    const socket = connect({ host: hostname, port: Number(port) });
    await once(socket, 'connect');
    return new RawClient(socket);
  }

  async command(command: Document): Promise<Document> {
    const expected = this.replies.length + 1;
    this.send(command);
    await eventually(() => this.replies.length >= expected || this.socket.destroyed);
    const reply = this.replies[expected - 1];
    if (reply === undefined) throw new Error('the server closed the socket without a reply');
    return reply.document;
  }

  send(command: Document, flags = 0): void {
    this.#requests += 1;
    this.socket.write(opMsg(this.#requests, command, flags));
  }

  close(): void {
    this.socket.destroy();
  }

  #readReply(): void {
    const size = this.#received.readInt32LE(0);
    const frame = this.#received.subarray(0, size);
    this.#received = this.#received.subarray(size);
    const document = deserialize(frame.subarray(HEAD_BYTES));
    this.replies.push({ flags: frame.readUInt32LE(16), responseTo: frame.readInt32LE(8), document });
  }
}
