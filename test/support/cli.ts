import { spawn } from 'node:child_process';
import { PassThrough, Readable, Writable } from 'node:stream';
import type { Config } from '../../src/config.ts';
import { runCli } from '../../src/cli/program.ts';

/** The exit code and the output of a command line. */
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

/** The environment of a command line that uses the services of a test. */
export function cliEnv(config: Config): NodeJS.ProcessEnv {
  return {
    MONGODB_URI: config.mongo.uri,
    REDIS_URL: config.queue.redisUrl,
    BATON_QUEUE_PREFIX: config.queue.prefix,
    BATON_LOG_LEVEL: 'silent',
  };
}

/** Runs command lines in this process, which is faster than starting one for each. */
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

  /** Runs on a terminal where a person types `answer` at the prompt. */
  async runAtTerminal(args: readonly string[], answer: string): Promise<Ran> {
    const stdin = Object.assign(new PassThrough(), { isTTY: true });
    const [stdout, stderr] = [new Sink(), Object.assign(new Sink(), { isTTY: true })];
    stderr.onText = (text) => {
      if (/to\sconfirm: $/.test(text)) stdin.write(`${answer}\n`);
    };
    const status = await runCli(args, { env: this.env, stdin, stdout, stderr });
    return { status, out: stdout.text, err: stderr.text };
  }

  /** Runs a command that must succeed, and returns its JSON document. */
  async json<Document>(args: readonly string[], input?: string): Promise<Document> {
    const ran = await this.run([...args, '--json'], input);
    if (ran.status !== 0) throw new Error(`${args.join(' ')} exited with ${ran.status} instead of 0: ${ran.out}`);
    return JSON.parse(ran.out) as Document;
  }

  /** Runs a command that must be refused, and returns its refusal. */
  async refusal(args: readonly string[], input?: string): Promise<RefusalDocument['error']> {
    const ran = await this.run([...args, '--json'], input);
    if (ran.status !== 2) throw new Error(`${args.join(' ')} exited with ${ran.status} instead of 2: ${ran.out}`);
    return (JSON.parse(ran.out) as RefusalDocument).error;
  }
}

class Sink extends Writable {
  text = '';
  onText: (text: string) => void = () => undefined;

  override _write(data: Buffer, _encoding: BufferEncoding, done: () => void): void {
    this.text += data.toString();
    this.onText(data.toString());
    done();
  }
}

/** Runs a command line in its own process. */
export async function spawnCli(env: NodeJS.ProcessEnv, args: readonly string[], input = ''): Promise<Ran> {
  const { PATH } = process.env;
  const argv = ['--import', 'tsx', 'src/cli/main.ts', ...args];
  const child = spawn(process.execPath, argv, { env: { PATH, ...env }, stdio: 'pipe' });
  let [out, err] = ['', ''];
  child.stdout.on('data', (data: Buffer) => (out += data.toString()));
  child.stderr.on('data', (data: Buffer) => (err += data.toString()));
  child.stdin.on('error', () => undefined).end(input);
  const status = await new Promise<number>((resolve) => child.once('close', (code) => resolve(code ?? -1)));
  return { status, out, err };
}
