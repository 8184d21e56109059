import { createInterface } from 'node:readline/promises';
import { plainLines, type Terminal } from './terminal.ts';

/** Asks a person. Returns an empty answer when the input ends. */
export async function ask({ stdin, stderr }: Terminal, question: string): Promise<string> {
  const terminal = createInterface({ input: stdin, output: stderr });
  try {
    const ended = new Promise<string>((resolve) => terminal.once('close', () => resolve('')));
    return (await Promise.race([terminal.question(plainLines(question)), ended])).trim();
  } finally {
    terminal.close();
  }
}
