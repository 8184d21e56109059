import { createInterface } from 'node:readline/promises';
import type { Config } from '../config.ts';
import type { Context } from '../context.ts';
import { Refusal } from '../domain/errors.ts';
import { errorText } from '../domain/safe-text.ts';
import type { Producer } from '../producer/index.ts';
import type { QueueAddress } from '../queue/connection.ts';
import { EXIT_DONE } from './errors.ts';
import { laidOut } from './layout.ts';
import { plainLines, printedJson, widthOf, type Output, type Terminal } from './terminal.ts';

const HOW_TO_CONFIGURE =
  'MONGODB_URI (mongodb://host:27017/baton?replicaSet=rs0) and REDIS_URL (redis://host:6379), see .env.example';

/**
 * One run of the command line. Connects when a command first needs it, and closes every connection at the end. Loads the
 * clients of the databases only then, so that help is printed at once.
 */
export class Session {
  readonly terminal: Terminal;
  /** With `--json`, stdout gets one JSON document, also for an error. */
  readonly json: boolean;
  exitStatus = EXIT_DONE;
  /** What is said when the connection to Redis fails. A command that waits adds what this means for its work. */
  onConnectionError = (line: string): void => this.note(line);
  /** Puts names in the place of ids in an error, once the campaign is known. */
  withNames = (text: string): string => text;
  private loadedConfig: Config | undefined;
  private openedContext: Promise<Context> | undefined;
  private openedProducer: Promise<Producer> | undefined;
  private readonly warned = new Set<string>();

  constructor(terminal: Terminal, json: boolean) {
    this.terminal = terminal;
    this.json = json;
  }

  /** Reads the environment. Runs before each command, but not before its help. */
  async prepare(): Promise<void> {
    const { readConfig } = await import('../config.ts');
    this.loadedConfig = configOf(() => readConfig(this.terminal.env));
  }

  get config(): Config {
    if (this.loadedConfig === undefined) throw new Error('the command runs before the environment is read');
    return this.loadedConfig;
  }

  context(): Promise<Context> {
    const { config } = this;
    this.openedContext ??= import('../context.ts').then(({ openContext }) => openContext(config));
    return this.openedContext;
  }

  /** Its methods refuse queues that belong to another database than the one in which the command has looked. */
  producer(): Promise<Producer> {
    this.openedProducer ??= this.openProducer();
    return this.openedProducer;
  }

  /** Returns the address of the queues. Throws a `Refusal` if they belong to another database. */
  async ownQueues(): Promise<QueueAddress> {
    const { queue } = this.config;
    const databaseId = await this.databaseId();
    const [{ withRedis }, { OwnerCheck }] = await Promise.all([
      import('../queue/connection.ts'),
      import('../queue/queue-owner.ts'),
    ]);
    await withRedis(queue.redisUrl, (redis) => new OwnerCheck(redis, queue.prefix, databaseId).require());
    return queue;
  }

  print({ json, text }: Output): void {
    const { stdout } = this.terminal;
    const width = widthOf(this.terminal, stdout);
    stdout.write(this.json ? `${printedJson(json)}\n` : `${plainLines(laidOut(text, width))}\n`);
  }

  /** Writes a line for people to stderr. */
  note(line: string): void {
    const { stderr } = this.terminal;
    stderr.write(`${plainLines(laidOut(`baton: ${line}`, widthOf(this.terminal, stderr)))}\n`);
  }

  /** Asks a person, in lines that fit the terminal. Returns an empty answer when the input ends. */
  async ask(question: string): Promise<string> {
    const { stdin, stderr } = this.terminal;
    const lines = laidOut(plainLines(question), widthOf(this.terminal, stderr)).trimEnd();
    const prompt = createInterface({ input: stdin, output: stderr });
    try {
      const ended = new Promise<undefined>((resolve) => prompt.once('close', () => resolve(undefined)));
      const answer = await Promise.race([prompt.question(`${lines} `), ended]);
      // Ctrl-C leaves the cursor behind the question.
      if (answer === undefined) stderr.write('\n');
      return (answer ?? '').trim();
    } finally {
      prompt.close();
    }
  }

  /**
   * Starts another round for the campaign's waiting claims, after a command changed what they can receive. The command
   * itself is done by then, so an unreachable queue is only noted.
   */
  async notifyWaitingClaims(campaignId: string): Promise<void> {
    const { stores } = await this.context();
    if (!(await stores.claims.hasWaiting(campaignId))) return;
    try {
      await (await this.producer()).poolRefilled(campaignId);
    } catch (error) {
      this.note(`the change is stored, but the waiting claims could not be notified: ${errorText(error)}`);
    }
  }

  async close(): Promise<void> {
    const context = await this.openedContext?.catch(() => undefined);
    const producer = await this.openedProducer?.catch(() => undefined);
    await Promise.allSettled([context?.close(), producer?.close()]);
  }

  private async openProducer(): Promise<Producer> {
    const [databaseId, { createProducer }] = await Promise.all([this.databaseId(), import('../producer/index.ts')]);
    return createProducer({ ...this.config.queue, databaseId, onError: this.warnOnce });
  }

  private async databaseId(): Promise<string> {
    const [{ database }, { databaseIdOf }] = await Promise.all([this.context(), import('../mongo/database-id.ts')]);
    return databaseIdOf(database);
  }

  /** A lost connection reports the same error many times a second. */
  private readonly warnOnce = (error: Error): void => {
    const message = errorText(error);
    if (this.warned.has(message)) return;
    this.warned.add(message);
    if (this.config.log.level !== 'silent') this.onConnectionError(`the connection to Redis failed: ${message}`);
  };
}

function configOf(read: () => Config): Config {
  try {
    return read();
  } catch (error) {
    if (!(error instanceof Refusal)) throw error;
    const message = `${error.received}. The environment must set ${HOW_TO_CONFIGURE}`;
    throw new Refusal(error.code, { message, expected: HOW_TO_CONFIGURE, received: error.received });
  }
}
