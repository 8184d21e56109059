import { connect, type Socket } from 'node:net';
import { FrameError, Frames, type FrameLayout } from '../protocol/frames.js';
import { CONNECT_MS, COPY_BYTES_MAX } from '../limits.js';
import type { PostgresError } from './protocol.js';
import {
  batchMessage,
  cancelMessage,
  errorOf,
  LinkLostError,
  rowOf,
  startupMessage,
  tagOf,
  TERMINATE_MESSAGE,
  type Step,
  type StepResult,
} from './protocol.js';

export interface LinkOptions {
  host: string;
  port: number;
  user: string;
  database: string;
  /** Settings the server applies before the first statement can be sent, so none can run without them. */
  settings: Record<string, string>;
}

interface Batch {
  /** Statements it prepares, until the server says it has. */
  parsing: string[];
  results: StepResult[];
  rows: StepResult['rows'];
  error: PostgresError | undefined;
  resolve: (results: StepResult[]) => void;
  reject: (error: Error) => void;
}

const LAYOUT: FrameLayout = { lengthAt: 1, bigEndian: true, uncounted: 1, bytesMin: 5, bytesMax: 1 << 30 };

/**
 * One connection to PostgreSQL. Batches sent while another runs wait in order. node-postgres is not used because it
 * reads every column as UTF-8 text, so BSON would have to travel as hexadecimal, twice its size and decoded twice.
 */
export class Link {
  /** Called once when the connection is gone, whoever ended it. */
  onLost: () => void = () => undefined;
  readonly #socket: Socket;
  readonly #options: LinkOptions;
  readonly #frames = new Frames(LAYOUT);
  readonly #known = new Set<string>();
  readonly #batches: Batch[] = [];
  #greeting: { resolve: () => void; reject: (error: Error) => void } | undefined;
  #key: { pid: number; secret: Buffer } | undefined;
  #inTransaction = false;
  #cancelled = false;
  #lost = false;

  private constructor(options: LinkOptions) {
    this.#options = options;
    this.#socket = connect({ host: options.host, port: options.port, noDelay: true });
    this.#socket.on('data', (chunk: Buffer) => this.#onData(chunk));
    this.#socket.on('error', (error) => this.#lose(error.message));
    this.#socket.on('close', () => this.#lose('closed by the server'));
  }

  static async open(options: LinkOptions): Promise<Link> {
    const link = new Link(options);
    const settings = Object.entries(options.settings).map(([name, value]) => `-c ${name}=${value}`);
    const { user, database } = options;
    const timer = setTimeout(() => link.#lose('no greeting in time'), CONNECT_MS);
    try {
      await new Promise<void>((resolve, reject) => {
        link.#greeting = { resolve, reject };
        link.#socket.write(startupMessage({ user, database, client_encoding: 'UTF8', options: settings.join(' ') }));
      });
    } finally {
      clearTimeout(timer);
    }
    return link;
  }

  get lost(): boolean {
    return this.#lost;
  }

  /** Nothing under way and no transaction open: may be handed to anyone. */
  get free(): boolean {
    return !this.#lost && !this.#cancelled && !this.#inTransaction && this.#batches.length === 0;
  }

  /** Runs `steps` in one round trip and answers each one's rows. Throws PostgresError or LinkLostError. */
  run(steps: readonly Step[]): Promise<StepResult[]> {
    if (this.#lost) return Promise.reject(new LinkLostError('the connection to PostgreSQL is gone'));
    return new Promise((resolve, reject) => {
      const { parts, parsed } = batchMessage(steps, this.#known);
      this.#batches.push({ parsing: parsed, results: [], rows: [], error: undefined, resolve, reject });
      writeParts(this.#socket, parts);
    });
  }

  /**
   * Asks the server to give up what this connection runs; it then fails with SQLSTATE 57014. The request may arrive
   * late and hit the next statement, so the connection is not `free` for anyone else afterwards.
   */
  cancel(): void {
    if (this.#key === undefined || this.#lost || this.#batches.length === 0) return;
    this.#cancelled = true;
    const { host, port } = this.#options;
    const key = this.#key;
    const socket = connect({ host, port }, () => socket.end(cancelMessage(key)));
    socket.on('error', () => undefined);
    socket.resume();
  }

  end(): void {
    if (this.#lost) return;
    this.#socket.end(TERMINATE_MESSAGE);
    this.#lose('closed by the front');
  }

  #onData(chunk: Buffer): void {
    try {
      for (const frame of this.#frames.push(chunk)) this.#onFrame(frame);
    } catch (error) {
      if (!(error instanceof FrameError)) throw error;
      this.#lose(error.message);
    }
  }

  #onFrame(frame: Buffer): void {
    const batch = this.#batches[0];
    switch (String.fromCharCode(frame[0] ?? 0)) {
      case 'D':
        batch?.rows.push(rowOf(frame));
        return;
      case '1':
        batch?.parsing.shift();
        return;
      case 'C':
        batch?.results.push({ rows: batch.rows, tag: tagOf(frame) });
        if (batch !== undefined) batch.rows = [];
        return;
      case 'E':
        this.#onError(errorOf(frame), batch);
        return;
      case 'Z':
        this.#onReady(frame[5] !== 0x49);
        return;
      case 'R':
        if (frame.readInt32BE(5) !== 0)
          this.#lose('PostgreSQL asks for a password; the front only speaks to one that trusts loopback');
        return;
      case 'K':
        this.#key = { pid: frame.readInt32BE(5), secret: Buffer.from(frame.subarray(9)) };
        return;
      default:
        return;
    }
  }

  #onError(error: PostgresError, batch: Batch | undefined): void {
    if (batch !== undefined) batch.error = error;
    else this.#lose(error.message, error);
  }

  #onReady(inTransaction: boolean): void {
    this.#inTransaction = inTransaction;
    const batch = this.#batches.shift();
    if (batch === undefined) {
      this.#greeting?.resolve();
      this.#greeting = undefined;
      return;
    }
    if (batch.error === undefined) return batch.resolve(batch.results);
    // What follows a failed step is skipped, so these were never prepared.
    for (const name of batch.parsing) this.#known.delete(name);
    batch.reject(batch.error);
  }

  #lose(why: string, cause?: Error): void {
    if (this.#lost) return;
    this.#lost = true;
    this.#socket.destroy();
    const error = new LinkLostError(`the connection to PostgreSQL is gone: ${why}`, { cause });
    this.#greeting?.reject(error);
    for (const batch of this.#batches.splice(0)) batch.reject(error);
    this.onLost();
  }
}

/** One write where that takes little copying: each write is a system call. */
function writeParts(socket: Socket, parts: Buffer[]): void {
  if (parts.every(({ length }) => length <= COPY_BYTES_MAX)) {
    socket.write(Buffer.concat(parts));
    return;
  }
  socket.cork();
  for (const part of parts) socket.write(part);
  socket.uncork();
}
