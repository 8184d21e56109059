import { Refusal, shown } from '../domain/errors.ts';

/** What an import's header line may name, in any order and case. */
export const REQUIRED_COLUMNS = ['name', 'phone'] as const;
export const OPTIONAL_COLUMNS = [
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

/** The columns that a header line names, in its order. Throws a `bad-request` refusal. */
export function readHeader(cells: readonly string[]): Column[] {
  const columns = cells.map(columnOf);
  const twice = columns.find((column, index) => columns.indexOf(column) !== index);
  if (twice) throw refused('each column once', `${twice} twice`);
  const missing = REQUIRED_COLUMNS.filter((column) => !columns.includes(column));
  if (missing.length > 0) throw refused('the columns name and phone', `none named ${missing.join(' or ')}`);
  return columns;
}

function columnOf(cell: string): Column {
  const name = cell.trim().toLowerCase();
  const column = COLUMNS.find((known) => known === name);
  if (!column) throw refused(`a header line of the columns ${COLUMNS.join(', ')}`, shown(cell));
  return column;
}

export function refused(expected: string, received: string): Refusal {
  return new Refusal('bad-request', { expected, received });
}
