import type { Command } from 'commander';
import { addTexter, setActive, type Texter } from '../../campaigns/index.ts';
import { texterId } from '../../domain/ids.ts';
import { sceneOf } from '../bulk.ts';
import { checked } from '../input.ts';
import { newId } from '../new-id.ts';
import { facts, table, type Answer } from '../output.ts';
import { resolveCampaign, resolveTexter } from '../resolve.ts';
import type { Session } from '../session.ts';
import { tellWaitingClaims } from '../waiting-claims.ts';

const CAMPAIGN = ['<campaign>', 'the campaign, by id or exact name'] as const;
const TEXTER = ['<texter>', 'the texter, by id or exact name'] as const;

export function addTexterCommands(program: Command, session: Session): void {
  const group = program.command('texter').summary('put texters on a campaign, pause and resume them');
  group
    .command('add')
    .summary('put a texter on a campaign')
    .argument(...CAMPAIGN)
    .argument('<name>', 'their name')
    .option('--id <id>', 'their id on the campaign. Default: a new one')
    .action(async (campaign: string, name: string, options: { id?: string }) =>
      session.answer(await add(session, campaign, name, options.id)),
    );
  group
    .command('pause')
    .summary('deal a texter nothing more; they keep what they hold')
    .argument(...CAMPAIGN)
    .argument(...TEXTER)
    .action(async (campaign: string, texter: string) => session.answer(await pause(session, campaign, texter, false)));
  group
    .command('resume')
    .summary('deal to a paused texter again')
    .argument(...CAMPAIGN)
    .argument(...TEXTER)
    .action(async (campaign: string, texter: string) => session.answer(await pause(session, campaign, texter, true)));
  group
    .command('list')
    .summary('list a campaign’s texters, as they joined')
    .argument(...CAMPAIGN)
    .action(async (campaign: string) => session.answer(await list(session, campaign)));
}

async function add(session: Session, campaignWord: string, name: string, id: string | undefined): Promise<Answer> {
  const wantedId = checked('id', texterId, id ?? newId('t'));
  const context = await session.context();
  const { campaignId } = await resolveCampaign(context.stores.campaigns, campaignWord);
  return told(campaignId, await addTexter(context, { campaignId, texterId: wantedId, name }));
}

async function pause(session: Session, campaignWord: string, word: string, active: boolean): Promise<Answer> {
  const { context, campaign, texters } = await sceneOf(session, campaignWord);
  const { texterId: id } = resolveTexter(texters, word);
  const texter = await setActive(context, campaign.campaignId, id, active);
  if (active) await tellWaitingClaims(session, campaign.campaignId);
  return told(campaign.campaignId, texter);
}

async function list(session: Session, campaignWord: string): Promise<Answer> {
  const { campaign, texters } = await sceneOf(session, campaignWord);
  const rows = texters.map((texter) => [texter.texterId, texter.name, stateOf(texter), texter.joinedOrder]);
  return { json: { campaignId: campaign.campaignId, texters }, text: table(['id', 'name', 'state', 'joined'], rows) };
}

function stateOf({ active }: Texter): string {
  return active ? 'active' : 'paused';
}

function told(campaignId: string, texter: Texter): Answer {
  const text = facts([
    ['texter', texter.texterId],
    ['name', texter.name],
    ['state', stateOf(texter)],
    ['joined', texter.joinedOrder],
  ]);
  return { json: { campaignId, ...texter }, text };
}
