import type { Command } from 'commander';
import { COUNT_MAX } from '../../domain/ids.ts';
import { wholeNumber } from '../arguments.ts';
import { misused } from '../errors.ts';
import { sourcesOf } from '../assignees.ts';
import { openCampaign, type CampaignSession } from '../lookup.ts';
import {
  addOperationOptions,
  CAMPAIGN,
  conversationOption,
  conversationsOption,
  countOption,
  statusOption,
  type OperationOptions,
} from '../options.ts';
import { commonFields, runOperation } from '../run-operation.ts';
import type { Session } from '../session.ts';
import type { Output } from '../terminal.ts';
import { chosenConversations, missing, oneConversation, type Selection } from './reassign.ts';

interface UnassignOptions extends OperationOptions, Omit<Selection, 'spread'> {
  readonly confirm?: number;
  readonly conversation?: string;
  readonly conversations?: string;
}

export function addUnassign(program: Command, session: Session): void {
  const command = program
    .command('unassign')
    .description('Moves conversations of texters back to the pool. To unassign all of them, confirm their number.')
    .argument(...CAMPAIGN)
    .option('--from <texters>', 'everyone, or texters by id or name: A,B. With --conversation: its expected assignee')
    .addOption(statusOption().default('any'))
    .addOption(countOption('how many to unassign. Default: all'))
    .option(
      '--confirm <count>',
      'the number to unassign, from the preview. Refused if there are more by then',
      wholeNumber('--confirm', 0, COUNT_MAX),
    )
    .addOption(conversationOption('unassign one conversation', ['status', 'count', 'confirm']))
    .addOption(conversationsOption('unassign chosen conversations', ['conversation', 'status', 'count', 'confirm']));
  addOperationOptions(command).action(async (campaign: string, options: UnassignOptions) =>
    session.print(await unassign(await openCampaign(session, campaign), options)),
  );
}

export async function unassign(of: CampaignSession, options: UnassignOptions): Promise<Output> {
  const { from, status = 'any', count, confirm, conversation, conversations } = options;
  if (conversation !== undefined) {
    return runOperation(of, { kind: 'unassign-one', ...(await oneConversation(of, conversation, options)) }, options);
  }
  if (conversations !== undefined) {
    const fields = { kind: 'unassign-list', ...(await chosenConversations(of, conversations, options)) };
    return runOperation(of, fields, options);
  }
  if (from === undefined) throw missing('--from', 'everyone or texters');
  if (from === 'pool') {
    const values = { expected: 'everyone or texters', received: from };
    throw misused('conversations in the pool are not assigned to anyone', values);
  }
  const fields = {
    kind: 'unassign',
    ...commonFields(of, options),
    from: await sourcesOf(from, of),
    status,
    count,
    confirm,
  };
  return runOperation(of, fields, options);
}
