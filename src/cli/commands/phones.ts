import type { Command } from 'commander';
import { checkedCountry } from '../../campaigns/index.ts';
import type { PhoneReport } from '../../mongo/canonical-phones.ts';
import { findCampaign } from '../lookup.ts';
import { CAMPAIGN, countryOption } from '../options.ts';
import type { Session } from '../session.ts';
import { blocks, fittedTable } from '../layout.ts';
import { counted, type Output, type Text } from '../terminal.ts';

const SHARED_SHOWN_MAX = 20;

interface PhonesOptions {
  readonly country?: string;
}

export function addPhones(program: Command, session: Session): void {
  program
    .command('phones')
    .description(
      'Writes the stored phone numbers of a campaign in one form, such as +12025550199, and lists the conversations that ' +
        'have the same number. Merges nothing: of the conversations of one number, one gets the new form. If one of them ' +
        'has opted out, all of them are opted out. Repeat it after `baton campaign country`.',
    )
    .argument(...CAMPAIGN)
    .addOption(countryOption())
    .action(async (typed: string, options: PhonesOptions) => session.print(await phones(session, typed, options)));
}

async function phones(session: Session, typed: string, { country: wanted }: PhonesOptions): Promise<Output> {
  const context = await session.context();
  const { campaignId, country: ofCampaign } = await findCampaign(context, typed);
  const country = wanted === undefined ? ofCampaign : await checkedCountry(wanted);
  const { writeCanonicalPhones } = await import('../../mongo/canonical-phones.ts');
  const report = await writeCanonicalPhones(context.database, campaignId, country);
  return { json: { campaignId, country, ...report }, text: reportText(report) };
}

function reportText({ rewritten, unreadable, optedOut, sharedCount, shared }: PhoneReport): Text {
  const listed = shared.slice(0, SHARED_SHOWN_MAX);
  const rows = listed.map((ids, index) => [index + 1, ids.join(', ')]);
  return blocks(
    `${counted(rewritten, 'phone number')} rewritten; ${unreadable} cannot be read; ` +
      `${sharedCount} shared by several conversations.`,
    rows.length > 0 && fittedTable(['number', 'conversations'], rows),
    sharedCount > listed.length && `… and ${sharedCount - listed.length} more; --json lists ${shared.length}.`,
    optedOut > 0 && `${counted(optedOut, 'conversation')} opted out, because another one of the same number was.`,
  );
}
