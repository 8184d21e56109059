import type { Command } from 'commander';
import {
  createCampaign,
  removeCampaign,
  renameCampaign,
  restoreCampaign,
  SELF_ASSIGN_DEFAULT,
  setClosed,
  setCountry,
} from '../../campaigns/index.ts';
import { findOrganisation } from '../../access/index.ts';
import { organisationOf } from '../../domain/id-rules.ts';
import { campaignId } from '../../domain/ids.ts';
import { id, newId } from '../arguments.ts';
import { findCampaign } from '../lookup.ts';
import { CAMPAIGN, countryOption, limitOption } from '../options.ts';
import type { Session } from '../session.ts';
import { fittedTable } from '../layout.ts';
import { moment, plain, type Output } from '../terminal.ts';
import { addLimitOptions, addRules, campaignOutput, limitsOf, stateOf, type LimitOptions } from './campaign-rules.ts';

const COLUMNS = [
  'id',
  { title: 'name', isShortened: true },
  'state',
  { title: 'texters', spare: 1 },
  { title: 'created', spare: 2 },
] as const;

interface CreateOptions extends LimitOptions {
  readonly id?: string;
  readonly selfAssign?: true;
  readonly country?: string;
}

export function addCampaign(program: Command, session: Session): void {
  const group = program.command('campaign');
  addCreate(group, session);
  addRules(group, session);
  addChanges(group, session);
  group
    .command('list')
    .summary('list campaigns, newest first')
    .addOption(limitOption(100))
    .action(async ({ limit }: { limit: number }) => session.print(await list(session, limit)));
  group
    .command('show')
    .summary('show a campaign')
    .argument(...CAMPAIGN)
    .action(async (typed: string) => session.print(campaignOutput(await findCampaign(await session.context(), typed))));
  group
    .command('country')
    .summary('set the country of phone numbers without a country code')
    .description(
      'Sets the country of phone numbers without a country code, for imports and look-ups. To read the numbers that are ' +
        'already stored in the new way, run `baton phones`.',
    )
    .argument(...CAMPAIGN)
    .argument('<code>', 'the ISO 3166 code of the country, such as US')
    .action(async (typed: string, code: string) => session.print(await changeCountry(session, typed, code)));
  group
    .command('close')
    .summary('assign no more conversations; they can still be unassigned')
    .argument(...CAMPAIGN)
    .action(async (typed: string) => session.print(await close(session, typed, true)));
  group
    .command('open')
    .summary('open a closed campaign again')
    .argument(...CAMPAIGN)
    .action(async (typed: string) => session.print(await close(session, typed, false)));
}

function addChanges(group: Command, session: Session): void {
  group
    .command('rename')
    .summary('give a campaign another name')
    .argument(...CAMPAIGN)
    .argument('<name>', 'the new name')
    .action(async (typed: string, name: string) => {
      const context = await session.context();
      const { campaignId } = await findCampaign(context, typed);
      session.print(campaignOutput(await renameCampaign(context, campaignId, name)));
    });
  group
    .command('remove')
    .summary('remove a closed campaign; its data stays in the database')
    .description(
      'Removes a closed campaign whose operations have all ended. No command finds it any more. Its conversations, texters ' +
        'and receipts stay in the database, and `baton campaign restore` brings it back. To delete a person, use `baton erase` first.',
    )
    .argument(...CAMPAIGN)
    .action(async (typed: string) => session.print(await remove(session, typed)));
  group
    .command('restore')
    .summary('bring a removed campaign back, closed')
    .argument('<id>', 'the id of the campaign', id('<id>', campaignId))
    .action(async (typed: string) =>
      session.print(campaignOutput(await restoreCampaign(await session.context(), typed))),
    );
}

async function remove(session: Session, typed: string): Promise<Output> {
  const context = await session.context();
  const { campaignId } = await findCampaign(context, typed);
  const { name } = await removeCampaign(context, campaignId);
  const text = `${plain(name)} is removed. Its conversations and receipts stay in the database.\nTo bring it back: baton campaign restore ${campaignId}`;
  return { json: { campaignId, removed: true }, text };
}

function addCreate(group: Command, session: Session): void {
  const command = group
    .command('create')
    .summary('create a campaign')
    .argument('<name>', 'the name of the campaign')
    .option('--id <id>', 'the id of the campaign. Default: a new id', id('--id', campaignId))
    .option('--self-assign', 'let texters claim conversations from the pool')
    .addOption(countryOption());
  addLimitOptions(command, SELF_ASSIGN_DEFAULT).action(async (name: string, options: CreateOptions) =>
    session.print(await create(session, name, options)),
  );
}

async function create(session: Session, name: string, options: CreateOptions): Promise<Output> {
  const selfAssign = { enabled: options.selfAssign === true, ...limitsOf(options) };
  const { country } = options;
  const wanted = { campaignId: options.id ?? newId('c'), name, selfAssign, ...(country !== undefined && { country }) };
  const context = await session.context();
  await findOrganisation(context, organisationOf(wanted.campaignId));
  return campaignOutput(await createCampaign(context, wanted));
}

async function list(session: Session, limit: number): Promise<Output> {
  const { stores } = await session.context();
  const listed = await stores.campaigns.list(limit);
  const rows = listed.map((campaign) => [
    campaign.campaignId,
    campaign.name,
    stateOf(campaign),
    campaign.texterCount,
    moment(campaign.createdAt),
  ]);
  return { json: { campaigns: listed }, text: rows.length > 0 ? fittedTable(COLUMNS, rows) : 'No campaigns.' };
}

async function changeCountry(session: Session, typed: string, code: string): Promise<Output> {
  const context = await session.context();
  const { campaignId } = await findCampaign(context, typed);
  return campaignOutput(await setCountry(context, campaignId, code));
}

async function close(session: Session, typed: string, closed: boolean): Promise<Output> {
  const context = await session.context();
  const found = await findCampaign(context, typed);
  const campaign = await setClosed(context, found.campaignId, closed);
  await session.notifyWaitingClaims(campaign.campaignId);
  return campaignOutput(campaign);
}
