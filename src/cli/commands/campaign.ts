import type { Command } from 'commander';
import { z } from 'zod';
import type { CampaignRecord } from '../../app/roster-port.ts';
import { createCampaign, setClosed } from '../../app/roster.ts';
import type { SelfAssignSettings } from '../../domain/claim.ts';
import { SELF_ASSIGN_BATCH_MAX, SELF_ASSIGN_DEFAULT } from '../../domain/roster.ts';
import { campaignId } from '../../queue/ids.ts';
import { checked, limitOf, numberOrWord } from '../input.ts';
import { newId } from '../new-id.ts';
import { facts, moment, table, type Answer } from '../output.ts';
import { resolveCampaign } from '../resolve.ts';
import type { Session } from '../session.ts';

interface CreateOptions {
  readonly id?: string;
  readonly selfAssign?: true;
  readonly batchMax?: string;
  readonly openMax?: string;
  readonly repliesMax?: string;
}

const OPEN_MAX = 1_000_000;

export function addCampaign(program: Command, session: Session): void {
  const group = program.command('campaign').summary('make, show, close and open campaigns');
  addCreate(group, session);
  group
    .command('list')
    .summary('list campaigns, newest first')
    .option('--limit <n>', 'how many at the most', '100')
    .action(async (options: { limit: string }) => session.answer(await list(session, options.limit)));
  group
    .command('show')
    .summary('show a campaign')
    .argument('<campaign>', 'the campaign, by id or exact name')
    .action(async (word: string) => session.answer(told(await find(session, word))));
  group
    .command('close')
    .summary('give out no more of its work; releasing goes on')
    .argument('<campaign>', 'the campaign, by id or exact name')
    .action(async (word: string) => session.answer(await close(session, word, true)));
  group
    .command('open')
    .summary('open a closed campaign again')
    .argument('<campaign>', 'the campaign, by id or exact name')
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
    .option('--batch-max <n>', `the most that a texter may pull at once (default: ${batchMax})`)
    .option('--open-max <n>', `the most not-started ones that a texter may hold after a pull (default: ${openMax})`)
    .option('--replies-max <n>', 'no more for a texter who holds more than this many that need a reply')
    .action(async (name: string, options: CreateOptions) => session.answer(await create(session, name, options)));
}

async function create(session: Session, name: string, options: CreateOptions): Promise<Answer> {
  const id = checked('id', campaignId, options.id ?? newId('c'));
  const wanted = { campaignId: id, name, selfAssign: selfAssignOf(options) };
  return told(await createCampaign(await session.context(), wanted));
}

function selfAssignOf({ selfAssign, batchMax, openMax, repliesMax }: CreateOptions): SelfAssignSettings {
  const most = (max: number, whenUnset: number) => z.int().min(1).max(max).default(whenUnset);
  const batch = most(SELF_ASSIGN_BATCH_MAX, SELF_ASSIGN_DEFAULT.batchMax);
  const open = most(OPEN_MAX, SELF_ASSIGN_DEFAULT.openMax);
  const replies = z.int().min(0).max(OPEN_MAX).nullable().default(SELF_ASSIGN_DEFAULT.repliesMax);
  return {
    enabled: selfAssign === true,
    batchMax: checked('batch-max', batch, numberOrWord(batchMax)),
    openMax: checked('open-max', open, numberOrWord(openMax)),
    repliesMax: checked('replies-max', replies, numberOrWord(repliesMax)),
  };
}

async function list(session: Session, limit: string): Promise<Answer> {
  const { roster } = await session.context();
  const campaigns = await roster.listCampaigns(limitOf(limit));
  const rows = campaigns.map((campaign) => [
    campaign.campaignId,
    campaign.name,
    stateOf(campaign),
    campaign.texterCount,
    moment(campaign.createdAt),
  ]);
  return { json: { campaigns }, text: table(['id', 'name', 'state', 'texters', 'created'], rows) };
}

async function close(session: Session, word: string, closed: boolean): Promise<Answer> {
  const { campaignId: id } = await find(session, word);
  return told(await setClosed(await session.context(), id, closed));
}

async function find(session: Session, word: string): Promise<CampaignRecord> {
  return resolveCampaign((await session.context()).roster, word);
}

function stateOf({ closed }: CampaignRecord): string {
  return closed ? 'closed' : 'open';
}

function told(campaign: CampaignRecord): Answer {
  const { enabled, batchMax, openMax } = campaign.selfAssign;
  const text = facts([
    ['campaign', campaign.campaignId],
    ['name', campaign.name],
    ['state', stateOf(campaign)],
    ['texters', campaign.texterCount],
    ['self-assign', enabled ? `at most ${batchMax} at once, ${openMax} not-started held` : 'off'],
    ['created', moment(campaign.createdAt)],
  ]);
  return { json: campaign, text };
}
