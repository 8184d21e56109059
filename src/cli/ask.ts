import { createInterface } from 'node:readline/promises';
import { laidOut } from './layout.ts';
import { plainLines, widthOf, type Terminal } from './terminal.ts';

/** Asks a person, in lines that fit the terminal. Returns an empty answer when the input ends. */
export async function ask(person: Terminal, question: string): Promise<string> {
  const { stdin, stderr } = person;
  const lines = laidOut(plainLines(question), widthOf(person, stderr)).trimEnd();
  const shown = `${lines} `;
  const terminal = createInterface({ input: stdin, output: stderr });
  try {
    const ended = new Promise<string>((resolve) => terminal.once('close', () => resolve('')));
    return (await Promise.race([terminal.question(shown), ended])).trim();
  } finally {
    terminal.close();
  }
}
