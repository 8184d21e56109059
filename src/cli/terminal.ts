import type { Readable, Writable } from 'node:stream';
import { Presets, SingleBar } from 'cli-progress';
import Table from 'cli-table3';
import { beforeSignalEnds } from './interruption.ts';

/** The environment and streams of a command line: those of the process, or those of a test. */
export interface Terminal {
  readonly env: NodeJS.ProcessEnv;
  readonly stdin: Readable & { readonly isTTY?: boolean };
  readonly stdout: Screen;
  readonly stderr: Screen;
}

type Screen = Writable & { readonly isTTY?: boolean; readonly columns?: number };

/** A text for people. A function formats it for a terminal with this many columns. */
export type Text = string | ((width: number) => string);

/** The output of a command: `json` for programs, `text` for people. */
export interface Output {
  readonly json: unknown;
  readonly text: Text;
}

const WIDTH_MIN = 20;

/** Returns the number of columns. A pipe or a file has no limit, because a program may read it. */
export function widthOf({ env }: Pick<Terminal, 'env'>, { columns = Infinity }: Pick<Screen, 'columns'>): number {
  const wanted = Number(env['COLUMNS']);
  return Math.max(WIDTH_MIN, wanted > 0 ? wanted : columns);
}

export type Cell = string | number;

/** Control characters and line separators. */
const CONTROL = /[\p{Cc}\p{Zl}\p{Zp}]+/gu;
/** Characters that change how a terminal shows others, such as their direction. Joined emoji have them too. */
const FORMAT = /[\p{Cf}\p{Default_Ignorable_Code_Point}]/gu;
const CONTROL_OR_FORMAT = /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu;

/** One line without control and format characters. A stored name could otherwise move the cursor or hide other text. */
export function plain(text: string): string {
  return text.replace(FORMAT, '').replace(CONTROL, ' ');
}

/** Several lines of {@link plain} text. */
export function plainLines(text: string): string {
  return text.split('\n').map(plain).join('\n');
}

/** A JSON document in which control and format characters are escaped, so that its values are complete. */
export function printedJson(document: unknown): string {
  const lines = JSON.stringify(document, undefined, 2).split('\n');
  return lines.map((line) => line.replace(CONTROL_OR_FORMAT, escaped)).join('\n');
}

/** A character outside the basic plane has two code units. */
function escaped(character: string): string {
  const units = Array.from({ length: character.length }, (_, index) => character.charCodeAt(index));
  return units.map((unit) => `\\u${unit.toString(16).padStart(4, '0')}`).join('');
}

/** No outer border and a line under the head only: the widest table must fit into 80 columns. */
const TABLE_LINES = {
  ...{ top: '', 'top-mid': '', 'top-left': '', 'top-right': '' },
  ...{ bottom: '', 'bottom-mid': '', 'bottom-left': '', 'bottom-right': '' },
  ...{ left: '', 'left-mid': '', right: '', 'right-mid': '' },
  ...{ mid: '─', 'mid-mid': '  ', middle: '  ' },
};

/** Columns are aligned to the right when their first row has a number. */
export function table(head: readonly string[], rows: readonly (readonly Cell[])[]): string {
  const drawn = new Table({
    head: [...head],
    chars: TABLE_LINES,
    colAligns: head.map((_, index) => (typeof rows[0]?.[index] === 'number' ? 'right' : 'left')),
    style: { head: [], border: [], compact: true, 'padding-left': 0, 'padding-right': 0 },
  });
  for (const row of rows) drawn.push(row.map((cell) => (typeof cell === 'number' ? cell : plain(cell))));
  return drawn.toString().replace(/ +$/gm, '');
}

/** A list of names and values, one pair on each line. */
export function facts(pairs: readonly (readonly [string, Cell])[]): string {
  const width = Math.max(...pairs.map(([name]) => name.length));
  return pairs.map(([name, value]) => `${name.padEnd(width)}  ${plain(String(value))}`).join('\n');
}

export function moment(at: Date | null): string {
  return at ? at.toISOString().replace(/\.\d+Z$/, 'Z') : '–';
}

export function counted(count: number, one: string, many = `${one}s`): string {
  return `${count} ${count === 1 ? one : many}`;
}

export interface Progress {
  update(value: number): void;
  stop(): void;
}

const DEFAULT_COLUMNS = 80;
const BAR_WIDTH_MIN = 8;
const BAR_WIDTH_MAX = 40;

/** Progress is shown only where a person can see it. */
export function isInteractive({ stderr }: Terminal): boolean {
  return stderr.isTTY === true;
}

/** Starts a progress bar on stderr. A bar without a terminal or without a known total is not started and shows nothing. */
export function progressBar(terminal: Terminal, what: string, total: number, unit = ''): Progress {
  const format = `${what} {bar} {percentage}% | {value} of {total}${unit} | {eta_formatted} left`;
  const stream = terminal.stderr as NodeJS.WriteStream;
  const barsize = barWidth(stream.columns, `${what}  100% | ${total} of ${total}${unit} | 59m59s left`);
  const bar = new SingleBar({ stream, format, barsize, clearOnComplete: true, fps: 5 }, Presets.shades_classic);
  if (!isInteractive(terminal) || total === 0) return bar;
  bar.start(total, 0);
  // The bar switches off the line wrapping of the terminal.
  const end = beforeSignalEnds(() => bar.stop());
  const stop = (): void => {
    end();
    bar.stop();
  };
  return { update: (value: number) => bar.update(value), stop };
}

/** The bar has the place that the text beside it leaves. */
function barWidth(columns: number | undefined, text: string): number {
  const left = (columns ?? DEFAULT_COLUMNS) - text.length;
  return Math.min(BAR_WIDTH_MAX, Math.max(BAR_WIDTH_MIN, left));
}
