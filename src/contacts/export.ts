import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { stringify } from 'csv-stringify';
import type { TexterStore } from '../campaigns/index.ts';
import { withGuard, withIdGuard } from './formulas.ts';
import type { ConversationRecord, ViewStore } from '../conversations/index.ts';

export const EXPORT_COLUMNS = [
  'conversation_id',
  'external_id',
  'name',
  'phone',
  'status',
  'assignee_id',
  'assignee',
  'opted_out',
  'waiting_since',
  'last_inbound_at',
  'last_outbound_at',
  'assigned_at',
  'created_at',
] as const;

export type ExportRow = Readonly<Record<(typeof EXPORT_COLUMNS)[number], string>>;

export interface ExportDeps {
  readonly stores: { readonly texters: TexterStore };
  readonly views: ViewStore;
}

/** Yields every conversation of a campaign as a row of text, with opted-out contacts and hidden statuses. */
export async function* exportConversations(
  { stores, views }: ExportDeps,
  campaignId: string,
): AsyncGenerator<ExportRow> {
  const texters = await stores.texters.list(campaignId);
  const names = new Map(texters.map(({ texterId, name }) => [texterId, name]));
  for await (const conversation of views.everyConversation(campaignId)) yield toRow(conversation, names);
}

function toRow(conversation: ConversationRecord, names: ReadonlyMap<string, string>): ExportRow {
  const { assigneeId } = conversation;
  return {
    conversation_id: conversation.conversationId,
    external_id: conversation.externalId ?? '',
    name: conversation.name,
    phone: conversation.phone,
    status: conversation.status ?? '',
    assignee_id: assigneeId ?? '',
    assignee: assigneeId === null ? '' : (names.get(assigneeId) ?? ''),
    opted_out: String(conversation.optedOut ?? ''),
    waiting_since: conversation.waitingSince.toISOString(),
    last_inbound_at: conversation.lastInboundAt?.toISOString() ?? '',
    last_outbound_at: conversation.lastOutboundAt?.toISOString() ?? '',
    assigned_at: conversation.assignedAt?.toISOString() ?? '',
    created_at: conversation.createdAt.toISOString(),
  };
}

/** Columns whose text comes from people, files and other systems. */
const FREE_TEXT: readonly (keyof ExportRow)[] = ['name', 'assignee_id', 'assignee'];
/** A spreadsheet reads digits after a plus sign as a number, never as a formula. */
const PLAIN_PHONE = /^\+?[0-9]*$/;

/**
 * Puts an apostrophe before everything that a spreadsheet would run as a formula, also where it would split a cell. An import
 * takes it off again.
 */
export function withoutFormulas(row: ExportRow): ExportRow {
  const columns = PLAIN_PHONE.test(row.phone) ? FREE_TEXT : [...FREE_TEXT, 'phone' as const];
  const guarded = Object.fromEntries(columns.map((column) => [column, withGuard(row[column])]));
  return { ...row, ...guarded, external_id: withIdGuard(row.external_id) };
}

export type RowForm = (row: ExportRow) => ExportRow;

/** Leaves a row as it is stored. */
const asStored: RowForm = (row) => row;

/** Returns the form in which an export shows rows: for spreadsheets, unless the caller wants them as they are stored. */
export function exportForm(isRaw: boolean): RowForm {
  return isRaw ? asStored : withoutFormulas;
}

/**
 * Writes rows as CSV while they are read. When the rows fail or the reader goes away, the stream is destroyed and no more rows
 * are read.
 */
export function toCsv(rows: AsyncIterable<ExportRow>): Readable {
  // Some readers take a carriage return for the end of a line unless its cell is quoted.
  const csv = stringify({ columns: [...EXPORT_COLUMNS], quoted_match: /[\r\n]/ });
  // The reader of the stream gets the error.
  pipeline(Readable.from(withHeader(rows)), csv).catch(() => undefined);
  return csv;
}

/** Writes the header line at once. The library would write it with the first row, for which a database may need a moment. */
async function* withHeader(rows: AsyncIterable<ExportRow>): AsyncGenerator<ExportRow> {
  yield Object.fromEntries(EXPORT_COLUMNS.map((column) => [column, column])) as ExportRow;
  yield* rows;
}
