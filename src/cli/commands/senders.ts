import type { Command } from 'commander';
import { type Load, type Sender, viewSenders } from '../../conversations/index.ts';
import { STATUSES } from '../../domain/conversation.ts';
import { findCampaign, namesOf } from '../lookup.ts';
import { CAMPAIGN } from '../options.ts';
import type { Session } from '../session.ts';
import type { AssigneeNames } from '../assignee-names.ts';
import { blocks, fittedTable } from '../layout.ts';
import type { Output } from '../terminal.ts';
import { countedAtText } from '../words.ts';

/** A person reads names. `--json` has the ids, and so has `baton texter list`. */
const COLUMNS = [
  { title: 'sender', isShortened: true },
  ...STATUSES,
  { title: 'opted out', whenUsed: true },
  { title: 'incomplete', whenUsed: true },
  'total',
] as const;

export function addSenders(program: Command, session: Session): void {
  program
    .command('senders')
    .argument(...CAMPAIGN)
    .action(async (campaign: string) => session.print(await senders(session, campaign)));
}

async function senders(session: Session, typed: string): Promise<Output> {
  const context = await session.context();
  const { campaignId } = await findCampaign(context, typed);
  const view = await viewSenders(context, campaignId);
  const numbers = ({ counts, optedOut, incomplete, total }: Load): number[] => [
    ...STATUSES.map((status) => counts[status]),
    optedOut,
    incomplete,
    total,
  ];
  const names = await namesOf(context, campaignId);
  const rows = view.senders.map((sender) => [nameOf(sender, names), ...numbers(sender)]);
  const counts = fittedTable(COLUMNS, [...rows, ['pool', ...numbers(view.pool)]]);
  return { json: view, text: blocks(counts, countedAtText(view.countedAt)) };
}

function nameOf({ name, active, texterId }: Sender, names: AssigneeNames): string {
  if (name === null) return `${texterId} (not on the campaign)`;
  return active ? names.of(texterId) : `${names.of(texterId)} (paused)`;
}
