import type { Command } from 'commander';
import { liftOptOut, optOut, type OptOutAnswer } from '../../contacts/index.ts';
import type { Session } from '../session.ts';
import { counted, type Output } from '../terminal.ts';
import { addPersonOptions, personOf, type PersonOptions } from './person.ts';

export function addOptOut(program: Command, session: Session): void {
  const command = program
    .command('opt-out')
    .description(
      'Opts a person out of a campaign. Their conversations are given to no texter any more, and no import lifts this. ' +
        'They stay with their assignee until they are unassigned. Repeating it changes nothing.',
    );
  addPersonOptions(command).action(async (campaign: string, options: PersonOptions) =>
    session.print(await change(session, campaign, options, true)),
  );
}

export function addLiftOptOut(program: Command, session: Session): void {
  const command = program
    .command('lift-opt-out')
    .description(
      'Lifts the opt-out of a person on a campaign. Nothing else lifts an opt-out. Repeating it changes nothing.',
    );
  addPersonOptions(command).action(async (campaign: string, options: PersonOptions) =>
    session.print(await change(session, campaign, options, false)),
  );
}

async function change(session: Session, typed: string, options: PersonOptions, optedOut: boolean): Promise<Output> {
  const context = await session.context();
  const request = await personOf(context, typed, options);
  if (optedOut) return outputOf(await optOut(context, request));
  const answer = await liftOptOut(context, request);
  if (answer.changed > 0) await session.notifyWaitingClaims(request.campaignId);
  return outputOf(answer);
}

function outputOf(answer: OptOutAnswer): Output {
  const { optedOut, changed, conversationIds } = answer;
  const state = optedOut ? 'opted out' : 'not opted out';
  const what = counted(conversationIds.length, 'conversation');
  return { json: answer, text: `The person is ${state} (${what}, ${changed} changed).\n${conversationIds.join('\n')}` };
}
