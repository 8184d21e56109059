import type { TexterStore } from '../campaigns/index.ts';
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
    status: conversation.status,
    assignee_id: assigneeId ?? '',
    assignee: assigneeId === null ? '' : (names.get(assigneeId) ?? ''),
    opted_out: String(conversation.optedOut),
    waiting_since: conversation.waitingSince.toISOString(),
    last_inbound_at: conversation.lastInboundAt?.toISOString() ?? '',
    last_outbound_at: conversation.lastOutboundAt?.toISOString() ?? '',
    assigned_at: conversation.assignedAt?.toISOString() ?? '',
    created_at: conversation.createdAt.toISOString(),
  };
}

/** Columns whose text comes from people and files. */
const FREE_TEXT: readonly (keyof ExportRow)[] = ['external_id', 'name', 'assignee'];
/** A spreadsheet reads digits after a plus sign as a number, never as a formula. */
const PLAIN_PHONE = /^\+?[0-9]*$/;
/** Spreadsheets skip blanks before a formula and accept full-width forms of its first character. */
const FORMULA = /^\s*[=+\-@\uff1d\uff0b\uff0d\uff20]|^[\t\r\n]/;

/**
 * Puts an apostrophe before each cell that a spreadsheet would run as a formula. Spreadsheets read the apostrophe as "this
 * is text".
 */
export function withoutFormulas(row: ExportRow): ExportRow {
  const guarded = FREE_TEXT.filter((column) => FORMULA.test(row[column]));
  const columns = PLAIN_PHONE.test(row.phone) ? guarded : [...guarded, 'phone' as const];
  if (columns.length === 0) return row;
  return { ...row, ...Object.fromEntries(columns.map((column) => [column, `'${row[column]}`])) };
}
