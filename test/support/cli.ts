import { spawn } from 'node:child_process';
import { PassThrough, Readable, Writable } from 'node:stream';
import type { Config } from '../../src/config.ts';
import { runCli } from '../../src/cli/program.ts';

/** How a command line ended, and what it said. */
export interface Ran {
  readonly status: number;
  readonly out: string;
  readonly err: string;
}

interface RefusalDocument {
  readonly error: {
    readonly code: string;
    readonly message: string;
    readonly expected: string;
    readonly received: string;
  };
}

/** The environment that a command line needs to work on a test's own services. */
export function cliEnv(config: Config): NodeJS.ProcessEnv {
  return {
    MONGODB_URI: config.mongo.uri,
    REDIS_URL: config.queue.redisUrl,
    BATON_QUEUE_PREFIX: config.queue.prefix,
    BATON_LOG_LEVEL: 'silent',
  };
}

/** The command line, run in this process: quick, and the same code. */
export class Cli {
  private readonly env: NodeJS.ProcessEnv;

  constructor(env: NodeJS.ProcessEnv) {
    this.env = env;
  }

  async run(args: readonly string[], input = ''): Promise<Ran> {
    const [stdout, stderr] = [new Sink(), new Sink()];
    const stdin = Readable.from([Buffer.from(input)]);
    const status = await runCli(args, { env: this.env, stdin, stdout, stderr });
    return { status, out: stdout.text, err: stderr.text };
  }

  /** At a terminal, where somebody types `answer` when asked. */
  async runAtTerminal(args: readonly string[], answer: string): Promise<Ran> {
    const stdin = Object.assign(new PassThrough(), { isTTY: true });
    const [stdout, stderr] = [new Sink(), Object.assign(new Sink(), { isTTY: true })];
    stderr.onText = (text) => {
      if (text.includes('to confirm: ')) stdin.write(`${answer}\n`);
    };
    const status = await runCli(args, { env: this.env, stdin, stdout, stderr });
    return { status, out: stdout.text, err: stderr.text };
  }

  /** The answer of a command that must be done. */
  async json<Document>(args: readonly string[], input?: string): Promise<Document> {
    const ran = await this.run([...args, '--json'], input);
    if (ran.status !== 0) throw new Error(`expected ${args.join(' ')} to be done, got ${ran.status}: ${ran.out}`);
    return JSON.parse(ran.out) as Document;
  }

  /** The refusal of a command that must be refused. */
  async refusal(args: readonly string[], input?: string): Promise<RefusalDocument['error']> {
    const ran = await this.run([...args, '--json'], input);
    if (ran.status !== 2) throw new Error(`expected ${args.join(' ')} to be refused, got ${ran.status}: ${ran.out}`);
    return (JSON.parse(ran.out) as RefusalDocument).error;
  }
}

class Sink extends Writable {
  text = '';
  onText: (text: string) => void = () => undefined;

  override _write(chunk: Buffer, _encoding: BufferEncoding, done: () => void): void {
    this.text += chunk.toString();
    this.onText(chunk.toString());
    done();
  }
}

/** The command line as its own process, as people start it. */
export async function spawnCli(env: NodeJS.ProcessEnv, args: readonly string[], input = ''): Promise<Ran> {
  const { PATH } = process.env;
  const argv = ['--import', 'tsx', 'src/cli/main.ts', ...args];
  const child = spawn(process.execPath, argv, { env: { PATH, ...env }, stdio: 'pipe' });
  let [out, err] = ['', ''];
  child.stdout.on('data', (chunk: Buffer) => (out += chunk.toString()));
  child.stderr.on('data', (chunk: Buffer) => (err += chunk.toString()));
  child.stdin.on('error', () => undefined).end(input);
  const status = await new Promise<number>((resolve) => child.once('close', (code) => resolve(code ?? -1)));
  return { status, out, err };
}
