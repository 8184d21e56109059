/** One row of a source: its cells in the order of the columns, or the reason why it cannot be read. */
export type SourceRow =
  | { readonly line: number; readonly cells: readonly string[] }
  | {
      readonly line: number;
      readonly problem: string;
      readonly text?: string;
      /** The cells that can be read, in the order of the columns. An opt-out in them holds. */
      readonly known?: readonly string[];
    };

/** Rows of contacts: a file, or a list that a program has. */
export interface ContactSource {
  /** The names of the columns. */
  readonly columns: readonly string[];
  /** Reads all rows from the first one. An import reads them twice: it decides before it writes. */
  rows(): AsyncIterable<readonly SourceRow[]>;
}

const ROWS_AT_ONCE = 1_000;

/** Makes a source of rows that can be read again. A row has as many cells as there are columns, or fewer. */
export function sourceOf(columns: readonly string[], rows: Iterable<readonly string[]>): ContactSource {
  return { columns, rows: () => inParts(rows) };
}

/** The first row of a list of rows without a header line is line 2, as in a file that has one. */
async function* inParts(rows: Iterable<readonly string[]>): AsyncGenerator<SourceRow[]> {
  let part: SourceRow[] = [];
  let line = 1;
  for (const cells of rows) {
    part.push({ line: (line += 1), cells });
    if (part.length < ROWS_AT_ONCE) continue;
    yield part;
    part = [];
  }
  yield await Promise.resolve(part);
}
