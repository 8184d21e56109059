import { text } from 'node:stream/consumers';
import type { Command } from 'commander';
import type { Assignee } from '../../domain/conversation.ts';
import { Refusal } from '../../domain/errors.ts';
import { shown } from '../../domain/visible-text.ts';
import { misused } from '../errors.ts';
import { assigneeOf, sourcesOf, targetsOf } from '../assignees.ts';
import { findConversationId } from '../find-conversation.ts';
import { openCampaign, type CampaignSession } from '../lookup.ts';
import {
  addOperationOptions,
  CAMPAIGN,
  conversationOption,
  conversationsOption,
  countOption,
  spreadOption,
  statusOption,
  type OperationOptions,
} from '../options.ts';
import { commonFields, runOperation } from '../run-operation.ts';
import type { Session } from '../session.ts';
import type { Output } from '../terminal.ts';

/** The options that select several conversations and deal them. */
export interface Selection {
  readonly from?: string;
  readonly status?: string;
  readonly count?: number;
  readonly spread?: string;
}

interface ReassignOptions extends OperationOptions, Selection {
  readonly to: string;
  readonly conversation?: string;
  readonly conversations?: string;
}

export function addReassign(program: Command, session: Session): void {
  const command = program
    .command('reassign')
    .description('Moves conversations from the pool, texters or everyone to one texter, several or everyone.')
    .argument(...CAMPAIGN)
    .option(
      '--from <assignees>',
      'pool, everyone, or texters by id or name: A,B. With --conversation: its expected assignee',
    )
    .requiredOption('--to <texters>', 'everyone, or texters by id or name: A,B. With a number for each: A=30,B=50')
    .addOption(statusOption())
    .addOption(countOption('how many to move. Default: all'))
    .addOption(conversationOption('move one conversation', ['status', 'count', 'spread']))
    .addOption(conversationsOption('move chosen conversations', ['conversation', 'status', 'count', 'spread']))
    .addOption(spreadOption());
  addOperationOptions(command).action(async (campaign: string, options: ReassignOptions) =>
    session.print(await reassign(await openCampaign(session, campaign), options)),
  );
}

export async function reassign(of: CampaignSession, options: ReassignOptions): Promise<Output> {
  const { from, to, status, count, spread, conversation, conversations } = options;
  if (conversation !== undefined) return reassignOne(of, conversation, options);
  if (conversations !== undefined) return reassignList(of, conversations, options);
  if (from === undefined) throw missing('--from', 'pool, everyone or texters');
  if (status === undefined) throw missing('--status', 'any, needs-reply, not-started or another status');
  const fields = {
    kind: 'reassign',
    ...commonFields(of, options),
    from: await sourcesOf(from, of),
    to: targetsOf(to, of),
    status,
    count,
    spread,
  };
  return runOperation(of, fields, options);
}

export function missing(option: string, values: string): Refusal {
  return misused(`${option} is missing: ${values}`, { expected: `${option} ${values}`, received: 'none' });
}

async function reassignOne(of: CampaignSession, conversation: string, options: ReassignOptions): Promise<Output> {
  const to = oneTarget(of, options);
  const fields = { kind: 'reassign-one', ...(await oneConversation(of, conversation, options)), to };
  return runOperation(of, fields, options);
}

async function reassignList(of: CampaignSession, conversations: string, options: ReassignOptions): Promise<Output> {
  const to = oneTarget(of, options);
  const fields = { kind: 'reassign-list', ...(await chosenConversations(of, conversations, options)), to };
  return runOperation(of, fields, options);
}

function oneTarget(of: CampaignSession, options: ReassignOptions) {
  const targets = targetsOf(options.to, of);
  if (typeof targets === 'object' && 'texterIds' in targets && targets.texterIds.length === 0) {
    throw new Refusal('no-targets', {
      message: '--to names no texter',
      expected: 'a texter to move conversations to',
      received: 'an empty list',
    });
  }
  if (targets === 'everyone' || 'counts' in targets || targets.texterIds.length > 1) {
    throw misused('chosen conversations can only move to one texter', {
      expected: 'one texter',
      received: shown(targets),
    });
  }
  return targets;
}

/** The common fields of the two operations on one conversation. */
export async function oneConversation(
  of: CampaignSession,
  conversation: string,
  options: OperationOptions & Pick<Selection, 'from'>,
) {
  return {
    ...commonFields(of, options),
    conversationId: await findConversationId(of.context.views, of.campaign, conversation),
    expectedAssigneeId: await expectedAssignee(of, options),
  };
}

/** The common fields of the two operations on a list of conversations. `-` reads the list from the standard input. */
export async function chosenConversations(
  of: CampaignSession,
  typed: string,
  options: OperationOptions & Pick<Selection, 'from'>,
) {
  const list = typed === '-' ? await text(of.session.terminal.stdin) : typed;
  const ids = list.split(/[\s,]+/).filter((id) => id !== '');
  const expectedAssigneeId = await expectedAssignee(of, options);
  const conversations = ids.map((conversationId) => ({ conversationId, expectedAssigneeId }));
  return { ...commonFields(of, options), conversations };
}

async function expectedAssignee(of: CampaignSession, { from }: Pick<Selection, 'from'>): Promise<Assignee | undefined> {
  if (from !== 'everyone') return from === undefined ? undefined : assigneeOf(from, of);
  throw misused('with chosen conversations, --from must be pool or one texter', {
    expected: 'pool or one texter',
    received: from,
  });
}
