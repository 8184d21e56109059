import type { mongo } from 'mongoose';
import { createContext, type Context } from '../../src/context.ts';
import type { Harness } from './harness.ts';

/** The commands that a context sends to the database, in order, as the driver writes them. */
export class SentCommands {
  readonly context: Context;
  private sent: mongo.Document[] = [];

  private constructor(context: Context) {
    this.context = context;
    context.database.client.on('commandStarted', ({ command }) => this.sent.push(command));
  }

  /** Opens a context of its own for the database of a harness. The caller closes the context. */
  static async open({ config }: Harness): Promise<SentCommands> {
    const separator = config.mongo.uri.includes('?') ? '&' : '?';
    const uri = `${config.mongo.uri}${separator}monitorCommands=true`;
    return new SentCommands(await createContext({ ...config, mongo: { ...config.mongo, uri } }));
  }

  /** Returns the commands that `work` sends, without those that end a transaction. */
  async during(work: (context: Context) => Promise<unknown>): Promise<mongo.Document[]> {
    this.sent = [];
    await work(this.context);
    return this.sent;
  }
}
