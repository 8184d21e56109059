import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { deserialize, serialize, type Document } from 'bson';
import { mongo } from 'mongoose';
import { afterAll, beforeAll } from 'vitest';

/** The MongoDB under test: the wire front, or a real server. */
export function mongoUri(): string {
  const uri = process.env['MONGODB_URI'];
  if (uri === undefined) throw new Error('MONGODB_URI is not set; `npm test` starts the services and sets it');
  return uri;
}

/** The PostgreSQL behind the front, where the tests may have one: `127.0.0.1:PORT`. */
export function postgresAddress(): { host: string; port: number } | undefined {
  const [host, port] = process.env['BATON_DEV_POSTGRES']?.split(':') ?? [];
  return host === undefined || port === undefined ? undefined : { host, port: Number(port) };
}

/** A client and an empty database of the test file's own, dropped when the file is done. */
export function ownDatabase(name: string, uri: () => string = mongoUri): { client: mongo.MongoClient; db: mongo.Db } {
  const own = {} as { client: mongo.MongoClient; db: mongo.Db };
  beforeAll(async () => {
    own.client = new mongo.MongoClient(uri(), { maxPoolSize: 120 });
    own.db = own.client.db(name);
    await own.db.dropDatabase();
  });
  afterAll(async () => {
    await own.db.dropDatabase();
    await own.client.close();
  });
  return own;
}

/** Waits until `holds` answers true, looking every few milliseconds. */
export async function eventually(holds: () => boolean | Promise<boolean>, withinMs = 10_000): Promise<void> {
  const deadline = Date.now() + withinMs;
  while (!(await holds())) {
    if (Date.now() > deadline) throw new Error(`expected it to hold within ${withinMs} ms`);
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}

export async function rejection(promise: Promise<unknown>): Promise<mongo.MongoError & Record<string, unknown>> {
  try {
    await promise;
  } catch (error) {
    return error as mongo.MongoError & Record<string, unknown>;
  }
  throw new Error('expected a rejection');
}

const HEAD_BYTES = 21;

/** An OP_MSG with one body section. */
export function opMsg(requestId: number, command: Document, flags = 0): Buffer {
  const body = serialize(command);
  const head = Buffer.alloc(HEAD_BYTES);
  head.writeInt32LE(HEAD_BYTES + body.length, 0);
  head.writeInt32LE(requestId, 4);
  head.writeInt32LE(2013, 12);
  head.writeUInt32LE(flags, 16);
  return Buffer.concat([head, body]);
}

/** A socket that speaks the protocol by hand, to send what no driver would send. */
export class RawClient {
  readonly socket: Socket;
  readonly answers: { flags: number; responseTo: number; document: Document }[] = [];
  #received = Buffer.alloc(0);
  #requests = 0;

  private constructor(socket: Socket) {
    this.socket = socket;
    socket.on('error', () => undefined);
    socket.on('data', (chunk: Buffer) => {
      this.#received = Buffer.concat([this.#received, chunk]);
      while (this.#received.length > 4 && this.#received.length >= this.#received.readInt32LE(0)) this.#take();
    });
  }

  static async connect(uri = mongoUri()): Promise<RawClient> {
    const { hostname, port } = new URL(uri);
    const socket = connect({ host: hostname, port: Number(port) });
    await once(socket, 'connect');
    return new RawClient(socket);
  }

  async command(command: Document): Promise<Document> {
    const expected = this.answers.length + 1;
    this.send(command);
    await eventually(() => this.answers.length >= expected || this.socket.destroyed);
    const answer = this.answers[expected - 1];
    if (answer === undefined) throw new Error('the socket closed without an answer');
    return answer.document;
  }

  send(command: Document, flags = 0): void {
    this.#requests += 1;
    this.socket.write(opMsg(this.#requests, command, flags));
  }

  close(): void {
    this.socket.destroy();
  }

  #take(): void {
    const size = this.#received.readInt32LE(0);
    const frame = this.#received.subarray(0, size);
    this.#received = this.#received.subarray(size);
    const document = deserialize(frame.subarray(HEAD_BYTES));
    this.answers.push({ flags: frame.readUInt32LE(16), responseTo: frame.readInt32LE(8), document });
  }
}
