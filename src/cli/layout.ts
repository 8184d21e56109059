import stringWidth from 'string-width';
import { facts, plain, table, type Cell, type Text } from './terminal.ts';

/** A column of a table that fits into any terminal. */
export interface Column {
  readonly title: string;
  /** Long cells may be cut off. Never set for an id, which people copy. */
  readonly isShortened?: true;
  /** Left out of a narrow terminal; the column with the highest number first. */
  readonly spare?: number;
  /** Left out when every cell is 0 or empty. */
  readonly whenUsed?: true;
}

/** A shorter cell would tell nobody anything. */
const SHORTENED_CHARS_MIN = 8;
const GAP = 2;
const CUT = '…';

const graphemes = new Intl.Segmenter('en', { granularity: 'grapheme' });

/**
 * A table that fits the terminal. It breaks titles, shortens cells and leaves columns out, in this order. Where that is not
 * enough, each row becomes a list of names and values.
 */
export function fittedTable(columns: readonly (Column | string)[], rows: readonly (readonly Cell[])[]): Text {
  const all = columns.map((column, index) => ({
    ...(typeof column === 'string' ? { title: column } : column),
    cells: rows.map((row) => plainCell(row[index] ?? '')),
  }));
  const used = all.filter(({ whenUsed, cells }) => !whenUsed || cells.some((cell) => cell !== 0 && cell !== ''));
  return (width) => fit(used, width);
}

interface FilledColumn extends Column {
  readonly cells: readonly Cell[];
}

function fit(columns: readonly FilledColumn[], width: number): string {
  for (let kept = columns; ;) {
    if (widthOf(kept) <= width) return draw(kept);
    const broken = kept.map(withBrokenTitle);
    const shortened = widthOf(broken) <= width ? broken : shorten(broken, widthOf(broken) - width);
    if (widthOf(shortened) <= width) return draw(shortened);
    const spare = Math.max(...kept.map((column) => column.spare ?? 0));
    if (spare === 0) return turned(columns);
    kept = kept.filter((column) => column.spare !== spare);
  }
}

function draw(columns: readonly FilledColumn[]): string {
  const rows = (columns[0]?.cells ?? []).map((_, row) => columns.map(({ cells }) => cells[row] ?? ''));
  const titles = columns.map(({ title }) => title);
  return table(titles, rows);
}

/** Each row as a list of names and values. */
function turned(columns: readonly FilledColumn[]): string {
  const rows = (columns[0]?.cells ?? []).map((_, row) =>
    columns.map(({ title, cells }) => [title, cells[row] ?? ''] as const).filter(([, cell]) => cell !== ''),
  );
  return rows.map((pairs) => facts(pairs)).join('\n\n');
}

function withBrokenTitle(column: FilledColumn): FilledColumn {
  return { ...column, title: column.title.replace(/ /g, '\n').replace(/-/g, '-\n') };
}

/** Takes `excess` columns of the terminal from the cells that may be shortened: always from the widest of them. */
function shorten(columns: readonly FilledColumn[], excess: number): readonly FilledColumn[] {
  const widths = columns.map((column) => widthOf([column]));
  for (let left = excess; left > 0; left -= 1) {
    const widest = columns.reduce(
      (best, column, index) => (column.isShortened && (widths[index] ?? 0) > (widths[best] ?? 0) ? index : best),
      -1,
    );
    if ((widths[widest] ?? 0) <= SHORTENED_CHARS_MIN) break;
    widths[widest] = (widths[widest] ?? 0) - 1;
  }
  return columns.map((column, index) => ({
    ...column,
    cells: column.cells.map((cell) => (column.isShortened ? shortenCell(cell, widths[index] ?? 0) : cell)),
  }));
}

function shortenCell(cell: Cell, width: number): Cell {
  if (typeof cell === 'number' || stringWidth(cell) <= width) return cell;
  let text = '';
  for (const { segment } of graphemes.segment(cell)) {
    if (stringWidth(text + segment) > width - CUT.length) break;
    text += segment;
  }
  return text.trimEnd() + CUT;
}

function plainCell(cell: Cell): Cell {
  return typeof cell === 'number' ? cell : plain(cell);
}

function widthOf(columns: readonly FilledColumn[]): number {
  const widths = columns.map(({ title, cells }) =>
    Math.max(...title.split('\n').map(widthOfCell), ...cells.map(widthOfCell)),
  );
  return widths.reduce((sum, width) => sum + width, GAP * Math.max(0, widths.length - 1));
}

function widthOfCell(cell: Cell): number {
  return typeof cell === 'number' ? String(cell).length : stringWidth(cell);
}

/** Joins blocks of text with an empty line between them. Skips empty blocks. */
export function blocks(...texts: readonly (Text | false | null | undefined)[]): Text {
  return (width) =>
    texts
      .map((text) => laidOut(text || '', width))
      .filter((text) => text !== '')
      .join('\n\n');
}

const UNBROKEN_BLANK = '\u00a0';

/** A command in a text. No line ends inside it, so that people can copy it. */
export function unbroken(command: string): string {
  return command.replaceAll(' ', UNBROKEN_BLANK);
}

/**
 * Formats a text for a terminal. Lines that are too long are broken at blanks, with the indentation of their first line, but
 * not inside a command.
 */
export function laidOut(text: Text, width: number): string {
  const formatted = typeof text === 'string' ? text : text(width);
  return formatted
    .split('\n')
    .map((line) => (stringWidth(line) <= width ? line : wrapped(line.replace(QUOTED, unbroken), width)))
    .join('\n')
    .replaceAll(UNBROKEN_BLANK, ' ');
}

/** A command in the text of a message or a help. */
const QUOTED = /`[^`]+`/g;
/** The second column of a line such as "  doctor    check the services" continues under itself. */
const HANGING = /^( *\S+(?: \S+)* {2,}| *)(?=\S)/;

function wrapped(line: string, width: number): string {
  const indent = HANGING.exec(line)?.[0].length ?? 0;
  const hanging = ' '.repeat(indent > width / 2 ? 2 : indent);
  const lines = [''];
  for (const word of line.split(/(?<=\S) /)) {
    const last = lines.at(-1) ?? '';
    const joined = last === '' ? word : `${last} ${word}`;
    if (last === '' || stringWidth(joined) <= width) lines[lines.length - 1] = joined;
    else lines.push(hanging + word.trimStart());
  }
  return lines.join('\n');
}
