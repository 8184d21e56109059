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
  const hasIncomplete = [...view.senders, view.pool].some(({ incomplete }) => incomplete > 0);
  const numbers = ({ counts, optedOut, incomplete, total }: Load): number[] => [
    ...STATUSES.map((status) => counts[status]),
    optedOut,
    ...(hasIncomplete ? [incomplete] : []),
    total,
  ];
  const rows = view.senders.map((sender) => [nameOf(sender), sender.texterId, ...numbers(sender)]);
  const head = ['sender', 'id', ...STATUSES, 'opted out', ...(hasIncomplete ? ['incomplete'] : []), 'total'];
  const text = table(head, [...rows, ['pool', '', ...numbers(view.pool)]]);
  return { json: view, text };
}

function nameOf({ name, active, texterId }: Sender): string {
  if (name === null) return `${texterId} (not on the campaign)`;
  return active ? name : `${name} (paused)`;
}
