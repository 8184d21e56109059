import { Option, type Command } from 'commander';
import { STATUSES, type Status } from '../../domain/conversation.ts';
import { findCampaign } from '../lookup.ts';
import { CAMPAIGN } from '../options.ts';
import type { Session } from '../session.ts';
import { blocks } from '../layout.ts';
import { counted, type Output } from '../terminal.ts';

interface RepairOptions {
  readonly status?: Status;
  readonly optedOut?: 'yes' | 'no';
}

export function addRepair(program: Command, session: Session): void {
  program
    .command('repair')
    .description(
      'Writes the default of each field that another program has left out in a campaign, its texters and conversations. ' +
        'Operations skip conversations without a known status, and those that do not say whether the contact opted out: ' +
        'these need --status and --opted-out. Repeating it changes nothing.',
    )
    .argument(...CAMPAIGN)
    .addOption(new Option('--status <status>', 'for conversations without a known status').choices([...STATUSES]))
    .addOption(
      new Option('--opted-out <answer>', 'for conversations that do not say whether the contact opted out').choices([
        'yes',
        'no',
      ]),
    )
    .action(async (campaign: string, options: RepairOptions) =>
      session.print(await repair(session, campaign, options)),
    );
}

async function repair(session: Session, typed: string, { status, optedOut }: RepairOptions): Promise<Output> {
  const context = await session.context();
  const { campaignId } = await findCampaign(context, typed);
  const choices = { ...(status && { status }), ...(optedOut && { optedOut: optedOut === 'yes' }) };
  const report = await context.completeness.repair(campaignId, choices);
  const left = `${counted(report.incomplete, 'conversation')} still incomplete: use --status and --opted-out.`;
  const text = blocks(`${counted(report.changed, 'field')} written.`, report.incomplete > 0 && left);
  return { json: report, text };
}
