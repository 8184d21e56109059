import { connect, type NetConnectOpts, type Socket } from 'node:net';
import { FrameError, Frames, type FrameLayout } from '../protocol/frames.js';
import { CONNECT_TIMEOUT_MS } from '../limits.js';
import { newBatch, settle, writeParts, type Batch } from './batch.js';
import {
  batchMessage,
  cancelMessage,
  ConnectionLostError,
  errorOf,
  isWaitForRow,
  rowOf,
  startupMessage,
  tagOf,
  TERMINATE_MESSAGE,
  type PostgresError,
  type Step,
  type StepResult,
} from './protocol.js';

export interface ConnectionOptions {
  /** A host, or the folder of a socket. */
  host: string;
  port: number;
  user: string;
  database: string;
  /** Settings that PostgreSQL applies before the first statement. */
  settings: Record<string, string>;
  /** Cancels statements that wait for a row of another open transaction. Default: they wait. */
  canceller?: { cancel(pid: number): Promise<void> } | undefined;
}

function placeOf({ host, port }: ConnectionOptions): NetConnectOpts {
  return host.startsWith('/') ? { path: `${host}/.s.PGSQL.${port}` } : { host, port, noDelay: true };
}

const LAYOUT: FrameLayout = { lengthAt: 1, bigEndian: true, uncounted: 1, bytesMin: 5, bytesMax: 1 << 30 };

/**
 * One connection to PostgreSQL. Runs batches in the order of their calls. node-postgres is not used because it reads every
 * column as UTF-8 text: BSON would have to be sent as hexadecimal, at twice the size, and decoded twice.
 */
export class Connection {
  /** Called once when either side has closed the connection. */
  onClosed: () => void = () => undefined;
  readonly #socket: Socket;
  readonly #options: ConnectionOptions;
  readonly #frames = new Frames(LAYOUT);
  readonly #prepared = new Set<string>();
  readonly #batches: Batch[] = [];
  #startup: { resolve: () => void; reject: (error: Error) => void } | undefined;
  #key: { pid: number; secret: Buffer } | undefined;
  #inTransaction = false;
  #wasCancelled = false;
  #isClosed = false;

  private constructor(options: ConnectionOptions) {
    this.#options = options;
    this.#socket = connect(placeOf(options));
    this.#socket.on('data', (received: Buffer) => this.#onData(received));
    this.#socket.on('error', (error) => this.#close(error.message));
    this.#socket.on('close', () => this.#close('closed by the server'));
  }

  static async open(options: ConnectionOptions): Promise<Connection> {
    const connection = new Connection(options);
    const settings = Object.entries(options.settings).map(([name, value]) => `-c ${name}=${value}`);
    const { user, database } = options;
    const timer = setTimeout(() => connection.#close('no reply to the startup message in time'), CONNECT_TIMEOUT_MS);
    try {
      await new Promise<void>((resolve, reject) => {
        connection.#startup = { resolve, reject };
        connection.#socket.write(
          startupMessage({ user, database, client_encoding: 'UTF8', options: settings.join(' ') }),
        );
      });
    } finally {
      clearTimeout(timer);
    }
    return connection;
  }

  /** False during a batch or a transaction, and after `cancel`. */
  get isReusable(): boolean {
    return !this.#isClosed && !this.#wasCancelled && !this.#inTransaction && this.#batches.length === 0;
  }

  /** Runs `steps` in one round trip and returns the rows of each. Throws PostgresError or ConnectionLostError. */
  run(steps: readonly Step[]): Promise<StepResult[]> {
    if (this.#isClosed) return Promise.reject(new ConnectionLostError('the connection to PostgreSQL is closed'));
    return new Promise((resolve, reject) => {
      const { parts, parsed } = batchMessage(steps, this.#prepared);
      this.#batches.push(newBatch(parsed, resolve, reject));
      writeParts(this.#socket, parts);
    });
  }

  /**
   * Cancels the running statement, which then fails with SQLSTATE 57014. The request may arrive late and cancel the next
   * statement, so the connection is not reusable afterwards.
   */
  cancel(): void {
    if (this.#key === undefined || this.#isClosed || this.#batches.length === 0) return;
    this.#wasCancelled = true;
    const key = this.#key;
    const socket = connect(placeOf(this.#options), () => socket.end(cancelMessage(key)));
    socket.on('error', () => undefined);
    socket.resume();
  }

  end(): void {
    if (this.#isClosed) return;
    this.#socket.end(TERMINATE_MESSAGE);
    this.#close('closed by this server');
  }

  #onData(received: Buffer): void {
    try {
      for (const frame of this.#frames.push(received)) this.#onFrame(frame);
    } catch (error) {
      if (!(error instanceof FrameError)) throw error;
      this.#close(error.message);
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
        batch?.results.push({ rows: batch.rows, tag: tagOf(frame), waitedForRow: batch.cancelling !== undefined });
        if (batch !== undefined) batch.rows = [];
        return;
      case 'N':
        if (batch !== undefined && isWaitForRow(frame)) batch.cancelling ??= this.#cancelWait();
        return;
      case 'E':
        this.#onError(errorOf(frame), batch);
        return;
      case 'Z':
        this.#onReady(frame[5] !== 0x49);
        return;
      case 'R':
        if (frame.readInt32BE(5) !== 0)
          this.#close('PostgreSQL requires a password; it must trust connections from loopback');
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
    else this.#close(error.message, error);
  }

  #onReady(inTransaction: boolean): void {
    this.#inTransaction = inTransaction;
    const batch = this.#batches.shift();
    if (batch === undefined) {
      this.#startup?.resolve();
      this.#startup = undefined;
      return;
    }
    // PostgreSQL skips the steps after a failed one, so it has not prepared their statements.
    if (batch.error !== undefined) for (const name of batch.parsing) this.#prepared.delete(name);
    // A cancellation that is still under way would end the next statement.
    if (batch.cancelling === undefined) settle(batch);
    else void batch.cancelling.then(() => settle(batch));
  }

  async #cancelWait(): Promise<void> {
    const { canceller } = this.#options;
    if (this.#key !== undefined) await canceller?.cancel(this.#key.pid);
  }

  #close(reason: string, cause?: Error): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#socket.destroy();
    const error = new ConnectionLostError(`the connection to PostgreSQL is closed: ${reason}`, { cause });
    this.#startup?.reject(error);
    for (const batch of this.#batches.splice(0)) batch.reject(error);
    this.onClosed();
  }
}
