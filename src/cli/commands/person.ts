import type { Command } from 'commander';
import type { PersonRequest } from '../../contacts/index.ts';
import type { Context } from '../../context.ts';
import { misused } from '../errors.ts';
import { findConversationId } from '../find-conversation.ts';
import { findCampaign, phoneOf } from '../lookup.ts';
import { CAMPAIGN, conversationOption, countryOption } from '../options.ts';

export interface PersonOptions {
  readonly phone?: string;
  readonly conversation?: string;
  readonly country?: string;
}

/** Adds the campaign and the options that name one person. */
export function addPersonOptions(command: Command): Command {
  return command
    .argument(...CAMPAIGN)
    .option('--phone <number>', 'the phone number of the person')
    .addOption(conversationOption('the conversation of the person', ['phone']))
    .addOption(countryOption());
}

export async function personOf(context: Context, typed: string, options: PersonOptions): Promise<PersonRequest> {
  const campaign = await findCampaign(context, typed);
  const { campaignId } = campaign;
  return options.conversation === undefined
    ? { campaignId, phone: await phoneOf(campaign, requiredPhone(options), options.country) }
    : { campaignId, conversationId: await findConversationId(context.views, campaign, options.conversation) };
}

function requiredPhone({ phone }: PersonOptions): string {
  if (phone !== undefined) return phone;
  const values = { expected: '--phone or --conversation', received: 'neither' };
  throw misused('the person is missing: use --phone or --conversation', values);
}
