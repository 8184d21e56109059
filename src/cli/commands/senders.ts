import type { Command } from 'commander';
import { type Load, type Sender, viewSenders } from '../../conversations/index.ts';
import { STATUSES } from '../../domain/conversation.ts';
import { findCampaign } from '../lookup.ts';
import { CAMPAIGN } from '../options.ts';
import type { Session } from '../session.ts';
import { table, type Output } from '../terminal.ts';

export function addSenders(program: Command, session: Session): void {
  program
    .command('senders')
    .summary('count conversations by sender')
    .argument(...CAMPAIGN)
    .action(async (campaign: string) => session.print(await senders(session, campaign)));
}

async function senders(session: Session, typed: string): Promise<Output> {
  const context = await session.context();
  const { campaignId } = await findCampaign(context, typed);
  const view = await viewSenders(context, campaignId);
  const rows = view.senders.map((sender) => [nameOf(sender), sender.texterId, ...numbers(sender)]);
  const text = table(['sender', 'id', ...STATUSES, 'total'], [...rows, ['pool', '', ...numbers(view.pool)]]);
  return { json: view, text };
}

function nameOf({ name, active, texterId }: Sender): string {
  if (name === null) return `${texterId} (not on the campaign)`;
  return active ? name : `${name} (paused)`;
}

function numbers({ counts, total }: Load): number[] {
  return [...STATUSES.map((status) => counts[status]), total];
}
