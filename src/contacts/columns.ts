import { Refusal } from '../domain/errors.ts';

const REQUIRED_COLUMNS = ['name', 'phone'] as const;
const OPTIONAL_COLUMNS = [
  'external_id',
  'status',
  'assignee',
  'opted_out',
  'created_at',
  'waiting_since',
  'last_inbound_at',
  'last_outbound_at',
] as const;
const COLUMNS = [...REQUIRED_COLUMNS, ...OPTIONAL_COLUMNS] as const;

export type Column = (typeof COLUMNS)[number];

/** Reads a header line, in which columns may stand in any order and case. Throws a `bad-request` refusal. */
export function readHeader(cells: readonly string[]): Column[] {
  const columns = cells.map(columnOf);
  const repeated = columns.find((column, index) => columns.indexOf(column) !== index);
  if (repeated) throw badHeader(`the header line has the column ${repeated} twice`, `${repeated} twice`);
  const missing = REQUIRED_COLUMNS.filter((column) => !columns.includes(column)).join(' and ');
  if (missing !== '') throw badHeader(`the header line has no column ${missing}`, `no column ${missing}`);
  return columns;
}

/** Does not repeat the unknown name: in a file without a header line it is a person's name or phone number. */
function columnOf(cell: string, index: number): Column {
  const name = cell.trim().toLowerCase();
  const column = COLUMNS.find((known) => known === name);
  if (column) return column;
  throw badHeader(
    `column ${index + 1} of the header line is unknown; the columns are ${COLUMNS.join(', ')}`,
    `an unknown name in column ${index + 1}`,
  );
}

export function badHeader(message: string, received: string): Refusal {
  return new Refusal('bad-request', {
    message,
    expected: `a header line with the columns ${REQUIRED_COLUMNS.join(' and ')}`,
    received,
  });
}
