import { createInterface } from 'node:readline/promises';
import { Refusal, shown } from '../domain/errors.ts';
import type { Face } from './terminal.ts';
import { counted } from './output.ts';

/**
 * The number that a person confirms before all conversations of somebody are unassigned: asked for on a terminal,
 * refused elsewhere, since a click by accident must not do it.
 */
export async function confirmCount(face: Face, count: number, holder: string): Promise<number> {
  const expected = `--confirm ${count}, the number of conversations to unassign`;
  if (!face.stdin.isTTY || !face.stderr.isTTY) throw new Refusal('confirmation-needed', { expected, got: 'none' });
  const question = `Unassign all ${counted(count, 'conversation')} from ${holder}? Type the number to confirm: `;
  const typed = await ask(face, question);
  if (typed === String(count)) return count;
  throw new Refusal('confirmation-needed', {
    expected: `${count}, to confirm`,
    got: typed === '' ? 'nothing' : shown(typed),
  });
}

/** An input that ends is an answer too: none. */
async function ask({ stdin, stderr }: Face, question: string): Promise<string> {
  const terminal = createInterface({ input: stdin, output: stderr });
  try {
    const ended = new Promise<string>((resolve) => terminal.once('close', () => resolve('')));
    return (await Promise.race([terminal.question(question), ended])).trim();
  } finally {
    terminal.close();
  }
}
