import Table from 'cli-table3';

/** A command's answer: the same for programs and for people. */
export interface Answer {
  readonly json: unknown;
  readonly text: string;
}

type Cell = string | number;

// eslint-disable-next-line no-control-regex
const CONTROL_CHARACTERS = /[\u0000-\u001f\u007f-\u009f]+/g;

/** What others wrote, without what would steer a terminal. */
export function plain(text: string): string {
  return text.replace(CONTROL_CHARACTERS, ' ');
}

export function table(head: readonly string[], rows: readonly (readonly Cell[])[]): string {
  const drawn = new Table({
    head: [...head],
    colAligns: head.map((_, index) => (typeof rows[0]?.[index] === 'number' ? 'right' : 'left')),
    style: { head: [], border: [], compact: true },
  });
  for (const row of rows) drawn.push(row.map((cell) => (typeof cell === 'number' ? cell : plain(cell))));
  return drawn.toString();
}

/** Names and values, one under the other. */
export function facts(pairs: readonly (readonly [string, Cell])[]): string {
  const width = Math.max(...pairs.map(([name]) => name.length));
  return pairs.map(([name, value]) => `${name.padEnd(width)}  ${plain(String(value))}`).join('\n');
}

/** Blocks of text with an empty line between them; empty ones are left out. */
export function blocks(...texts: readonly (string | false | null | undefined)[]): string {
  return texts.filter((text) => text).join('\n\n');
}

export function moment(at: Date | null): string {
  return at ? at.toISOString().replace(/\.\d+Z$/, 'Z') : '–';
}

export function counted(count: number, one: string, many = `${one}s`): string {
  return `${count} ${count === 1 ? one : many}`;
}
