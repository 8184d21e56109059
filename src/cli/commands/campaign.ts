import type { Command } from 'commander';
import { type Campaign, changeRules, createCampaign, SELF_ASSIGN_DEFAULT, setClosed } from '../../campaigns/index.ts';
import { shown } from '../../domain/errors.ts';
import { campaignId } from '../../domain/ids.ts';
import { checked, limitOf, misused } from '../input.ts';
import { newId } from '../new-id.ts';
import { facts, moment, table, type Answer } from '../output.ts';
import { resolveCampaign } from '../resolve.ts';
import { rulesOf, rulesText, type RuleOptions } from '../rules.ts';
import type { Session } from '../session.ts';
import { tellWaitingClaims } from '../waiting-claims.ts';

const CAMPAIGN = ['<campaign>', 'the campaign, by id or exact name'] as const;
const BATCH_OPTION = '--batch-max <n>';
const OPEN_OPTION = '--open-max <n>';
const REPLIES_OPTION = '--replies-max <n>';
const BATCH_HELP = 'the most that a texter may pull at once';
const OPEN_HELP = 'the most not-started ones that a texter may hold after a pull';
const REPLIES_HELP = 'no more for a texter who holds more than this many that need a reply; none: no such rule';

interface CreateOptions extends RuleOptions {
  readonly id?: string;
  readonly selfAssign?: true;
}

interface ChangeOptions extends RuleOptions {
  readonly selfAssign?: string;
}

export function addCampaign(program: Command, session: Session): void {
  const group = program.command('campaign').summary('make, show, close and open campaigns');
  addCreate(group, session);
  addRules(group, session);
  group
    .command('list')
    .summary('list campaigns, newest first')
    .option('--limit <n>', 'how many at the most', '100')
    .action(async (options: { limit: string }) => session.answer(await list(session, options.limit)));
  group
    .command('show')
    .summary('show a campaign')
    .argument(...CAMPAIGN)
    .action(async (word: string) => session.answer(told(await find(session, word))));
  group
    .command('close')
    .summary('give out no more of its work; releasing goes on')
    .argument(...CAMPAIGN)
    .action(async (word: string) => session.answer(await close(session, word, true)));
  group
    .command('open')
    .summary('open a closed campaign again')
    .argument(...CAMPAIGN)
    .action(async (word: string) => session.answer(await close(session, word, false)));
}

function addCreate(group: Command, session: Session): void {
  const { batchMax, openMax } = SELF_ASSIGN_DEFAULT;
  group
    .command('create')
    .summary('make a campaign')
    .argument('<name>', 'its name')
    .option('--id <id>', 'its id. Default: a new one')
    .option('--self-assign', 'let texters pull work for themselves')
    .option(BATCH_OPTION, `${BATCH_HELP} (default: ${batchMax})`)
    .option(OPEN_OPTION, `${OPEN_HELP} (default: ${openMax})`)
    .option(REPLIES_OPTION, `${REPLIES_HELP} (default: none)`)
    .action(async (name: string, options: CreateOptions) => session.answer(await create(session, name, options)));
}

function addRules(group: Command, session: Session): void {
  group
    .command('rules')
    .summary('show or change what texters may pull for themselves')
    .description(
      'Changes the rules that are given and keeps the others; shows them all. Claims that wait follow at once.',
    )
    .argument(...CAMPAIGN)
    .option('--self-assign <on|off>', 'whether texters may pull work for themselves')
    .option(BATCH_OPTION, BATCH_HELP)
    .option(OPEN_OPTION, OPEN_HELP)
    .option(REPLIES_OPTION, REPLIES_HELP)
    .action(async (word: string, options: ChangeOptions) => session.answer(await rules(session, word, options)));
}

async function create(session: Session, name: string, options: CreateOptions): Promise<Answer> {
  const id = checked('id', campaignId, options.id ?? newId('c'));
  const selfAssign = { enabled: options.selfAssign === true, ...rulesOf(options) };
  return told(await createCampaign(await session.context(), { campaignId: id, name, selfAssign }));
}

async function rules(session: Session, word: string, options: ChangeOptions): Promise<Answer> {
  const { selfAssign } = options;
  const changes = { ...rulesOf(options), ...(selfAssign !== undefined && { enabled: isOn(selfAssign) }) };
  const campaign = await find(session, word);
  if (Object.keys(changes).length === 0) return told(campaign);
  const changed = await changeRules(await session.context(), campaign.campaignId, changes);
  await tellWaitingClaims(session, changed.campaignId);
  return told(changed);
}

function isOn(typed: string): boolean {
  if (typed === 'on' || typed === 'off') return typed === 'on';
  throw misused('self-assign to be "on" or "off"', shown(typed));
}

async function list(session: Session, limit: string): Promise<Answer> {
  const { stores } = await session.context();
  const listed = await stores.campaigns.list(limitOf(limit));
  const rows = listed.map((campaign) => [
    campaign.campaignId,
    campaign.name,
    stateOf(campaign),
    campaign.texterCount,
    moment(campaign.createdAt),
  ]);
  return { json: { campaigns: listed }, text: table(['id', 'name', 'state', 'texters', 'created'], rows) };
}

async function close(session: Session, word: string, closed: boolean): Promise<Answer> {
  const { campaignId: id } = await find(session, word);
  const campaign = await setClosed(await session.context(), id, closed);
  if (!closed) await tellWaitingClaims(session, id);
  return told(campaign);
}

async function find(session: Session, word: string): Promise<Campaign> {
  return resolveCampaign((await session.context()).stores.campaigns, word);
}

function stateOf({ closed }: Campaign): string {
  return closed ? 'closed' : 'open';
}

function told(campaign: Campaign): Answer {
  const text = facts([
    ['campaign', campaign.campaignId],
    ['name', campaign.name],
    ['state', stateOf(campaign)],
    ['texters', campaign.texterCount],
    ['self-assign', rulesText(campaign.selfAssign)],
    ['created', moment(campaign.createdAt)],
  ]);
  return { json: campaign, text };
}
