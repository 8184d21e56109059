import { createInterface } from 'node:readline/promises';
import { Refusal, shown } from '../domain/errors.ts';
import type { Terminal } from './terminal.ts';
import { counted } from './output.ts';

/**
 * The number that a person confirms before all conversations of somebody are unassigned: asked for on a terminal,
 * refused elsewhere, since a click by accident must not do it.
 */
export async function confirmCount(terminal: Terminal, count: number, assignee: string): Promise<number> {
  const expected = `--confirm ${count}, the number of conversations to unassign`;
  if (!terminal.stdin.isTTY || !terminal.stderr.isTTY)
    throw new Refusal('confirmation-needed', { expected, received: 'none' });
  const question = `Unassign all ${counted(count, 'conversation')} from ${assignee}? Type the number to confirm: `;
  const typed = await ask(terminal, question);
  if (typed === String(count)) return count;
  throw new Refusal('confirmation-needed', {
    expected: `${count}, to confirm`,
    received: typed === '' ? 'nothing' : shown(typed),
  });
}

/** An input that ends is an answer too: none. */
async function ask({ stdin, stderr }: Terminal, question: string): Promise<string> {
  const terminal = createInterface({ input: stdin, output: stderr });
  try {
    const ended = new Promise<string>((resolve) => terminal.once('close', () => resolve('')));
    return (await Promise.race([terminal.question(question), ended])).trim();
  } finally {
    terminal.close();
  }
}
