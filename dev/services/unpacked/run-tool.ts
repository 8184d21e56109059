import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { SetupError } from '../say.ts';

const OUTPUT_TAIL_LINES = 20;

/** Runs one tool to its end, without a terminal and without questions; its output is shown only when it fails. */
export async function runTool(command: readonly string[], options: { cwd?: string } = {}): Promise<string> {
  const [file = '', ...args] = command;
  const child = spawn(file, args, {
    ...options,
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { ...process.env, DEBIAN_FRONTEND: 'noninteractive', LC_ALL: 'C.UTF-8' },
  });
  let output = '';
  let errors = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => (output += text));
  child.stderr.setEncoding('utf8').on('data', (text: string) => (errors += text));
  const [status] = (await once(child, 'close')) as [number | null];
  if (status === 0) return output;
  throw new SetupError(`${file} failed (status ${status ?? 'none'}):\n${tail(output + errors)}`);
}

export function tail(text: string, lines = OUTPUT_TAIL_LINES): string {
  return text.trimEnd().split('\n').slice(-lines).join('\n');
}
