import type { Command } from 'commander';
import { type ConversationsView, type ConversationWithHistory, viewConversations } from '../../conversations/index.ts';
import { HIDDEN_STATUSES, VISIBLE_STATUSES, type Status } from '../../domain/conversation.ts';
import { shown } from '../../domain/errors.ts';
import { sceneOf, type Scene } from '../bulk.ts';
import { readCursor, writeCursor } from '../cursor.ts';
import { assigneesOf, type AssigneeNames } from '../assignees.ts';
import { limitOf, misused } from '../input.ts';
import { blocks, facts, moment, table, type Answer } from '../output.ts';
import { resolveConversation } from '../resolve.ts';
import type { Session } from '../session.ts';

interface ListOptions {
  readonly of: string;
  readonly status?: string;
  readonly limit: string;
  readonly after?: string;
}

export function addConversations(program: Command, session: Session): void {
  program
    .command('conversations')
    .summary('list conversations, the most urgent first')
    .description('Lists not-started conversations and those with a reply. The unanswered ones are in the export.')
    .argument('<campaign>', 'the campaign, by id or exact name')
    .option('--of <assignees>', 'pool, everyone, or texters by id or name: A,B', 'everyone')
    .option('--status <status>', `${VISIBLE_STATUSES.join(', ')}, or any`)
    .option('--limit <n>', 'how many on a page', '50')
    .option('--after <cursor>', 'where the page before ended')
    .action(async (campaign: string, options: ListOptions) =>
      session.answer(await list(await sceneOf(session, campaign), options)),
    );
  program
    .command('conversation')
    .summary('show one conversation and its last moves')
    .argument('<campaign>', 'the campaign, by id or exact name')
    .argument('<conversation>', 'the conversation, by id, external id or contact')
    .action(async (campaign: string, word: string) =>
      session.answer(await show(await sceneOf(session, campaign), word)),
    );
}

async function list({ context, campaign, texters, names }: Scene, options: ListOptions): Promise<Answer> {
  const assignees = assigneesOf(options.of, texters);
  if (assignees.length === 0) throw misused('--of pool, everyone or texters', 'an empty list');
  const view = await viewConversations(context, {
    campaignId: campaign.campaignId,
    assignees,
    status: visibleStatus(options.status),
    limit: limitOf(options.limit),
    after: options.after === undefined ? null : readCursor(options.after),
  });
  const next = view.next && writeCursor(view.next);
  return { json: { campaignId: campaign.campaignId, ...view, next }, text: listText(view, next, names) };
}

function visibleStatus(word: string | undefined): Status | undefined {
  if (word === undefined || word === 'any') return undefined;
  if (HIDDEN_STATUSES.some((hidden) => hidden === word)) {
    throw misused(`a status that the view shows; \`baton export\` has those that are ${word}`, shown(word));
  }
  const status = VISIBLE_STATUSES.find((known) => known === word);
  if (!status) throw misused(`any, ${VISIBLE_STATUSES.join(', ')} as the status`, shown(word));
  return status;
}

function listText({ conversations, hidden }: ConversationsView, next: string | null, names: AssigneeNames): string {
  const rows = conversations.map((conversation) => [
    conversation.conversationId,
    conversation.name,
    conversation.status + (conversation.optedOut ? ', opted out' : ''),
    moment(conversation.waitingSince),
    names.of(conversation.assigneeId),
  ]);
  return blocks(
    rows.length > 0 ? table(['conversation', 'contact', 'status', 'waiting since', 'held by'], rows) : 'None.',
    next !== null && `There are more: --after ${next}`,
    hidden > 0 && `Not shown: ${hidden} that wait for the contact's first answer; see \`baton export\`.`,
  );
}

async function show({ context, campaign, names }: Scene, word: string): Promise<Answer> {
  const id = await resolveConversation(context.views, campaign.campaignId, word);
  const conversation = await context.views.findWithHistory(campaign.campaignId, id);
  if (!conversation) throw misused('a conversation that still exists', id);
  return { json: { campaignId: campaign.campaignId, ...conversation }, text: showText(conversation, names) };
}

function showText(conversation: ConversationWithHistory, names: AssigneeNames): string {
  const { history } = conversation;
  const moves = history.map((move) => [moment(move.at), names.of(move.from), names.of(move.to), move.operationId]);
  return blocks(
    facts([
      ['conversation', conversation.conversationId],
      ['external id', conversation.externalId ?? '–'],
      ['contact', conversation.name],
      ['phone', conversation.phone],
      ['status', conversation.status],
      ['opted out', conversation.optedOut ? 'yes' : 'no'],
      ['held by', names.of(conversation.assigneeId)],
      ['assigned', moment(conversation.assignedAt)],
      ['waiting since', moment(conversation.waitingSince)],
      ['last inbound', moment(conversation.lastInboundAt)],
      ['last outbound', moment(conversation.lastOutboundAt)],
    ]),
    moves.length > 0 && table(['moved', 'from', 'to', 'operation'], moves),
  );
}
