import { readConfig, type Config } from '../config.ts';
import { openContext, type Context } from '../context.ts';
import { Refusal } from '../domain/errors.ts';
import { createLogger } from '../telemetry/index.ts';
import { createProducer, type Producer } from '../producer/index.ts';
import type { Terminal } from './terminal.ts';
import type { Answer } from './output.ts';

/** 0: done. 1: failed. 2: refused or misused, and nothing was changed. */
export const EXIT_DONE = 0;
export const EXIT_FAILED = 1;
export const EXIT_REFUSED = 2;

const HOW_TO_CONFIGURE =
  'MONGODB_URI (mongodb://host:27017/baton?replicaSet=rs0) and REDIS_URL (redis://host:6379) to be set, see .env.example';

/** One run of the command line: opens what its command needs, when it needs it, and closes it all. */
export class Session {
  readonly terminal: Terminal;
  /** Answers and errors are one JSON document on stdout. */
  readonly json: boolean;
  exitStatus = EXIT_DONE;
  private readConfigOnce: Config | undefined;
  private opened: Promise<Context> | undefined;
  private openedProducer: Producer | undefined;
  private readonly warned = new Set<string>();

  constructor(terminal: Terminal, json: boolean) {
    this.terminal = terminal;
    this.json = json;
  }

  get config(): Config {
    this.readConfigOnce ??= configOf(this.terminal.env);
    return this.readConfigOnce;
  }

  /** Opens the database. Throws a `Refusal` if its schema does not fit this version of Baton. */
  async context(): Promise<Context> {
    this.opened ??= openContext(this.config);
    return this.opened;
  }

  producer(): Producer {
    this.openedProducer ??= createProducer({ ...this.config.queue, onError: this.warnOnce });
    return this.openedProducer;
  }

  answer({ json, text }: Answer): void {
    this.terminal.stdout.write(this.json ? `${JSON.stringify(json, undefined, 2)}\n` : `${text}\n`);
  }

  /** A word to whoever watches; never part of an answer. */
  tell(line: string): void {
    this.terminal.stderr.write(`baton: ${line}\n`);
  }

  async close(): Promise<void> {
    const context = await this.opened?.catch(() => undefined);
    await Promise.allSettled([context?.close(), this.openedProducer?.close()]);
  }

  /** A lost connection reports itself many times a second; whoever watches needs to hear it once. */
  private readonly warnOnce = ({ message }: Error): void => {
    if (this.warned.has(message)) return;
    this.warned.add(message);
    createLogger(this.config.log, this.terminal.stderr).warn({ trouble: message }, 'queue connection');
  };
}

function configOf(env: NodeJS.ProcessEnv): Config {
  try {
    return readConfig(env);
  } catch (error) {
    if (!(error instanceof Refusal)) throw error;
    throw new Refusal(error.code, { expected: HOW_TO_CONFIGURE, received: error.received });
  }
}
