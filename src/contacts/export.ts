import type { CampaignsStore } from '../campaigns/index.ts';
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

/** Columns that hold what somebody else wrote, in any form they liked. */
const FREE_TEXT: readonly (keyof ExportRow)[] = ['external_id', 'name', 'assignee'];
/** Digits, perhaps after a plus sign: whatever a spreadsheet makes of that, it is a number. */
const PLAIN_PHONE = /^\+?[0-9]*$/;
/** How a spreadsheet tells a formula, after blanks it may skip; full-width forms count too. */
const FORMULA = /^\s*[=+\-@\uff1d\uff0b\uff0d\uff20]|^[\t\r\n]/;

/** Every conversation of a campaign, those that the view leaves out and the opted-out ones too, as rows of text. */
export async function* exportConversations(
  deps: { readonly campaigns: CampaignsStore; readonly views: ViewStore },
  campaignId: string,
): AsyncGenerator<ExportRow> {
  const texters = await deps.campaigns.listTexters(campaignId);
  const names = new Map(texters.map(({ texterId, name }) => [texterId, name]));
  for await (const conversation of deps.views.everyConversation(campaignId)) yield toRow(conversation, names);
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

/**
 * A row that a spreadsheet shows and does not run: what it would take for a formula gets an apostrophe before it, which
 * spreadsheets read as "text". A phone number's leading plus sign stays: digits behind it run nothing.
 */
export function withoutFormulas(row: ExportRow): ExportRow {
  const guarded = FREE_TEXT.filter((column) => FORMULA.test(row[column]));
  const columns = PLAIN_PHONE.test(row.phone) ? guarded : [...guarded, 'phone' as const];
  if (columns.length === 0) return row;
  return { ...row, ...Object.fromEntries(columns.map((column) => [column, `'${row[column]}`])) };
}
