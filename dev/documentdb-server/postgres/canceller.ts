import { Connection, type ConnectionOptions } from './connection.js';
import { SQL } from './sql.js';

/**
 * Cancels statements of other connections through a connection of its own. PostgreSQL also accepts a cancel request on a
 * new socket, but does not reply to it, so a late request could cancel the next statement.
 */
export class Canceller {
  readonly #options: ConnectionOptions;
  #connection: Promise<Connection> | undefined;

  constructor(options: ConnectionOptions) {
    this.#options = options;
  }

  /** Resolves when PostgreSQL has cancelled the statement that the process `pid` runs. Never rejects. */
  async cancel(pid: number): Promise<void> {
    try {
      const connection = await (this.#connection ??= this.#open());
      await connection.run([{ statement: SQL.cancelBackend, values: [String(pid)] }]);
    } catch {
      this.#connection = undefined;
    }
  }

  async close(): Promise<void> {
    const connection = await this.#connection?.catch(() => undefined);
    connection?.end();
  }

  async #open(): Promise<Connection> {
    const connection = await Connection.open(this.#options);
    connection.onClosed = () => (this.#connection = undefined);
    return connection;
  }
}
