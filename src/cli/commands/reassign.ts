import type { Command } from 'commander';
import { Refusal, shown } from '../../domain/errors.ts';
import { misused } from '../errors.ts';
import { assigneeOf, findConversationId, openCampaign, sourcesOf, targetsOf, type CampaignSession } from '../lookup.ts';
import {
  addOperationOptions,
  CAMPAIGN,
  conversationOption,
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
}

export function addReassign(program: Command, session: Session): void {
  const command = program
    .command('reassign')
    .summary('move conversations to texters')
    .description('Moves conversations from the pool, texters or everyone to one texter, several or everyone.')
    .argument(...CAMPAIGN)
    .option(
      '--from <assignees>',
      'pool, everyone, or texters by id or name: A,B. With --conversation: its expected assignee',
    )
    .requiredOption('--to <texters>', 'everyone, or texters by id or name: A,B')
    .addOption(statusOption())
    .addOption(countOption('how many to move. Default: all'))
    .addOption(conversationOption('move one conversation', ['status', 'count', 'spread']))
    .addOption(spreadOption());
  addOperationOptions(command).action(async (campaign: string, options: ReassignOptions) =>
    session.print(await reassign(await openCampaign(session, campaign), options)),
  );
}

export async function reassign(of: CampaignSession, options: ReassignOptions): Promise<Output> {
  const { from, to, status, count, spread, conversation } = options;
  if (conversation !== undefined) return reassignOne(of, conversation, options);
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
  const targets = targetsOf(options.to, of);
  if (targets !== 'everyone' && targets.texterIds.length === 0) {
    throw new Refusal('no-targets', {
      message: '--to names no texter',
      expected: 'a texter to move the conversation to',
      received: 'an empty list',
    });
  }
  if (targets === 'everyone' || targets.texterIds.length > 1) {
    throw misused('one conversation can only move to one texter', { expected: 'one texter', received: shown(targets) });
  }
  const fields = { kind: 'reassign-one', ...(await oneConversation(of, conversation, options)), to: targets };
  return runOperation(of, fields, options);
}

/** The common fields of the two operations on one conversation. */
export async function oneConversation(
  of: CampaignSession,
  conversation: string,
  options: OperationOptions & Pick<Selection, 'from'>,
) {
  const { from } = options;
  if (from === 'everyone') {
    const values = { expected: 'pool or one texter', received: from };
    throw misused('with --conversation, --from must be pool or one texter', values);
  }
  return {
    ...commonFields(of, options),
    conversationId: await findConversationId(of.context.views, of.campaign.campaignId, conversation),
    expectedAssigneeId: from === undefined ? undefined : await assigneeOf(from, of),
  };
}
