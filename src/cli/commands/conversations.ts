import type { Command } from 'commander';
import { type ConversationsView, type ConversationWithHistory, viewConversations } from '../../conversations/index.ts';
import { HIDDEN_STATUSES, VISIBLE_STATUSES, type Position, type Status } from '../../domain/conversation.ts';
import { shown } from '../../domain/visible-text.ts';
import { cursor, formatCursor, statusIn } from '../arguments.ts';
import { misused } from '../errors.ts';
import { assigneesOf } from '../assignees.ts';
import type { AssigneeNames } from '../assignee-names.ts';
import { blocks, fittedTable, unbroken } from '../layout.ts';
import { findConversationId } from '../find-conversation.ts';
import { openCampaign, type CampaignSession } from '../lookup.ts';
import { CAMPAIGN, limitOption } from '../options.ts';
import type { Session } from '../session.ts';
import { facts, moment, type Output, type Text } from '../terminal.ts';

/** The value of a field that another program has left out. */
const UNKNOWN = 'unknown';

const COLUMNS = [
  'conversation',
  { title: 'contact', isShortened: true },
  'status',
  { title: 'waiting since', spare: 1 },
  { title: 'assignee', isShortened: true },
] as const;

const HISTORY_COLUMNS = [
  { title: 'moved', spare: 1 },
  { title: 'from', isShortened: true },
  { title: 'to', isShortened: true },
  'operation',
] as const;

interface ListOptions {
  readonly of: string;
  readonly status?: Status | 'any';
  readonly limit: number;
  readonly after?: Position;
}

export function addConversations(program: Command, session: Session): void {
  program
    .command('conversations')
    .description('Lists not-started conversations and those with a reply. `baton export` has the others too.')
    .argument(...CAMPAIGN)
    .option('--of <assignees>', 'pool, everyone, or texters by id or name: A,B', 'everyone')
    .option('--status <status>', `${VISIBLE_STATUSES.join(', ')}, or any`, visibleStatus)
    .addOption(limitOption(50))
    .option('--after <cursor>', 'where the previous page ended', cursor)
    .action(async (campaign: string, options: ListOptions) =>
      session.print(await list(await openCampaign(session, campaign), options)),
    );
}

export function addConversation(program: Command, session: Session): void {
  program
    .command('conversation')
    .argument(...CAMPAIGN)
    .argument('<conversation>', 'the conversation, by id, external id or contact')
    .action(async (campaign: string, conversation: string) =>
      session.print(await show(await openCampaign(session, campaign), conversation)),
    );
}

function visibleStatus(typed: string): Status | 'any' {
  const statuses = ['any' as const, ...VISIBLE_STATUSES];
  const status = statusIn([...statuses, ...HIDDEN_STATUSES])(typed);
  const visible = statuses.find((known) => known === status);
  if (visible) return visible;
  const values = { expected: statuses.join(', '), received: shown(typed) };
  throw misused(`this list leaves out ${status} conversations; \`baton export\` has them`, values);
}

async function list(of: CampaignSession, options: ListOptions): Promise<Output> {
  const { campaignId } = of.campaign;
  const assignees = await assigneesOf(options.of, of);
  if (assignees.length === 0) {
    const expected = 'pool, everyone or texters';
    throw misused(`--of must name ${expected}`, { expected, received: 'an empty list' });
  }
  const view = await viewConversations(of.context, {
    campaignId,
    assignees,
    status: options.status === 'any' ? undefined : options.status,
    limit: options.limit,
    after: options.after ?? null,
  });
  const next = view.next && formatCursor(view.next);
  return { json: { campaignId, ...view, next }, text: listText(view, next, of.names) };
}

function listText({ conversations, hidden }: ConversationsView, next: string | null, names: AssigneeNames): Text {
  const rows = conversations.map((conversation) => [
    conversation.conversationId,
    conversation.name,
    (conversation.status ?? UNKNOWN) + (conversation.optedOut ? ', opted out' : ''),
    moment(conversation.waitingSince),
    names.of(conversation.assigneeId),
  ]);
  return blocks(
    rows.length > 0 ? fittedTable(COLUMNS, rows) : 'No conversations.',
    next !== null && `There are more: ${unbroken(`--after ${next}`)}`,
    hidden > 0 && `Not listed: ${hidden} whose contact has never replied; see \`baton export\`.`,
  );
}

async function show({ context, campaign, names }: CampaignSession, typed: string): Promise<Output> {
  const { campaignId } = campaign;
  const id = await findConversationId(context.views, campaign, typed);
  const conversation = await context.views.findWithHistory(campaignId, id);
  if (!conversation) {
    const values = { expected: 'a conversation that exists', received: id };
    throw misused(`conversation ${id} was deleted a moment ago`, values);
  }
  return { json: { campaignId, ...conversation }, text: conversationText(conversation, names) };
}

function conversationText(conversation: ConversationWithHistory, names: AssigneeNames): Text {
  const { history } = conversation;
  const moves = history.map((move) => [moment(move.at), names.of(move.from), names.of(move.to), move.operationId]);
  return blocks(
    facts([
      ['conversation', conversation.conversationId],
      ['external id', conversation.externalId ?? '–'],
      ['contact', conversation.name],
      ['phone', conversation.phone],
      ['status', conversation.status ?? UNKNOWN],
      ['opted out', conversation.optedOut === null ? UNKNOWN : conversation.optedOut ? 'yes' : 'no'],
      ['assignee', names.of(conversation.assigneeId)],
      ['assigned', moment(conversation.assignedAt)],
      ['waiting since', moment(conversation.waitingSince)],
      ['last inbound', moment(conversation.lastInboundAt)],
      ['last outbound', moment(conversation.lastOutboundAt)],
    ]),
    moves.length > 0 && fittedTable(HISTORY_COLUMNS, moves),
  );
}
