import type { Command } from 'commander';
import { type Load, type Sender, viewSenders } from '../../conversations/index.ts';
import { STATUSES } from '../../domain/conversation.ts';
import { table, type Answer } from '../output.ts';
import { resolveCampaign } from '../resolve.ts';
import type { Session } from '../session.ts';

export function addSenders(program: Command, session: Session): void {
  program
    .command('senders')
    .summary('show what each texter and the pool hold, by status')
    .argument('<campaign>', 'the campaign, by id or exact name')
    .action(async (campaign: string) => session.answer(await senders(session, campaign)));
}

async function senders(session: Session, campaignWord: string): Promise<Answer> {
  const context = await session.context();
  const { campaignId } = await resolveCampaign(context.stores.campaigns, campaignWord);
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
