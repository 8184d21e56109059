import type { Command } from 'commander';
import { liftOptOut, optOut, type OptOutAnswer, type OptOutRequest } from '../../contacts/index.ts';
import { misused } from '../errors.ts';
import { findCampaign, findConversationId, phoneOf } from '../lookup.ts';
import { CAMPAIGN, conversationOption, countryOption } from '../options.ts';
import type { Session } from '../session.ts';
import { counted, type Output } from '../terminal.ts';

interface OptOutOptions {
  readonly phone?: string;
  readonly conversation?: string;
  readonly country?: string;
}

export function addOptOut(program: Command, session: Session): void {
  const command = program
    .command('opt-out')
    .summary('opt a person out: no texter gets their conversations any more')
    .description(
      'Opts a person out of a campaign. Their conversations are given to no texter any more, and no import lifts this. ' +
        'They stay with their assignee until they are unassigned. Repeating it changes nothing.',
    );
  addPersonOptions(command).action(async (campaign: string, options: OptOutOptions) =>
    session.print(await change(session, campaign, options, true)),
  );
}

export function addLiftOptOut(program: Command, session: Session): void {
  const command = program
    .command('lift-opt-out')
    .summary('lift the opt-out of a person who wants messages again')
    .description(
      'Lifts the opt-out of a person on a campaign. Nothing else lifts an opt-out. Repeating it changes nothing.',
    );
  addPersonOptions(command).action(async (campaign: string, options: OptOutOptions) =>
    session.print(await change(session, campaign, options, false)),
  );
}

function addPersonOptions(command: Command): Command {
  return command
    .argument(...CAMPAIGN)
    .option('--phone <number>', 'the phone number of the person')
    .addOption(conversationOption('the conversation of the person', ['phone']))
    .addOption(countryOption());
}

async function change(session: Session, typed: string, options: OptOutOptions, optedOut: boolean): Promise<Output> {
  const context = await session.context();
  const campaign = await findCampaign(context, typed);
  const { campaignId } = campaign;
  const request: OptOutRequest =
    options.conversation === undefined
      ? { campaignId, phone: await phoneOf(campaign, requiredPhone(options), options.country) }
      : { campaignId, conversationId: await findConversationId(context.views, campaignId, options.conversation) };
  if (optedOut) return outputOf(await optOut(context, request));
  const answer = await liftOptOut(context, request);
  if (answer.changed > 0) await session.notifyWaitingClaims(campaignId);
  return outputOf(answer);
}

function requiredPhone({ phone }: OptOutOptions): string {
  if (phone !== undefined) return phone;
  const values = { expected: '--phone or --conversation', received: 'neither' };
  throw misused('the person is missing: use --phone or --conversation', values);
}

function outputOf(answer: OptOutAnswer): Output {
  const { optedOut, changed, conversationIds } = answer;
  const state = optedOut ? 'opted out' : 'not opted out';
  const what = counted(conversationIds.length, 'conversation');
  return { json: answer, text: `The person is ${state} (${what}, ${changed} changed).\n${conversationIds.join('\n')}` };
}
