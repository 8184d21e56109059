import type { Command } from 'commander';
import {
  addTexter as addToCampaign,
  removeTexter,
  renameTexter,
  restoreTexter,
  setActive,
  type Texter,
} from '../../campaigns/index.ts';
import { Refusal } from '../../domain/errors.ts';
import { texterId } from '../../domain/ids.ts';
import { foldedText } from '../../domain/visible-text.ts';
import { id, newId } from '../arguments.ts';
import { findTexter, openCampaign } from '../lookup.ts';
import { CAMPAIGN, TEXTER } from '../options.ts';
import type { Session } from '../session.ts';
import { fittedTable } from '../layout.ts';
import { facts, type Output } from '../terminal.ts';

const COLUMNS = ['id', { title: 'name', isShortened: true }, 'state', { title: 'joined', spare: 1 }] as const;

export function addTexter(program: Command, session: Session): void {
  const group = program.command('texter');
  group
    .command('add')
    .summary('add a texter to a campaign')
    .argument(...CAMPAIGN)
    .argument('<name>', 'the name of the texter')
    .option('--id <id>', 'the id of the texter on the campaign. Default: a new id', id('--id', texterId))
    .option('--another', 'add a texter with the name of another one without being asked')
    .action(async (campaign: string, name: string, options: AddOptions) =>
      session.print(await add(session, campaign, name, options)),
    );
  group
    .command('pause')
    .summary('assign nothing more to a texter, who keeps what they have')
    .argument(...CAMPAIGN)
    .argument(...TEXTER)
    .action(async (campaign: string, texter: string) => session.print(await pause(session, campaign, texter, false)));
  group
    .command('resume')
    .summary('assign to a paused texter again')
    .argument(...CAMPAIGN)
    .argument(...TEXTER)
    .action(async (campaign: string, texter: string) => session.print(await pause(session, campaign, texter, true)));
  addChanges(group, session);
  group
    .command('list')
    .summary('list the texters of a campaign, in the order in which they joined')
    .argument(...CAMPAIGN)
    .action(async (campaign: string) => session.print(await list(session, campaign)));
}

function addChanges(group: Command, session: Session): void {
  group
    .command('rename')
    .summary('give a texter another name')
    .argument(...CAMPAIGN)
    .argument(...TEXTER)
    .argument('<name>', 'the new name')
    .action(async (campaign: string, texter: string, name: string) => {
      const of = await openCampaign(session, campaign);
      const { campaignId } = of.campaign;
      const renamed = await renameTexter(of.context, campaignId, findTexter(of, texter).texterId, name);
      session.print(texterOutput(campaignId, renamed));
    });
  group
    .command('remove')
    .summary('remove a texter who has no conversations')
    .description(
      'Removes a texter from a campaign. A texter with conversations is not removed: move the conversations first, with ' +
        '`baton reassign` or `baton unassign`. Receipts keep the name, and no other texter can get the id.',
    )
    .argument(...CAMPAIGN)
    .argument(...TEXTER)
    .action(async (campaign: string, texter: string) => session.print(await remove(session, campaign, texter)));
  group
    .command('restore')
    .summary('bring a removed texter back, paused')
    .argument(...CAMPAIGN)
    .argument('<texter>', 'the removed texter, by id or name')
    .action(async (campaign: string, texter: string) => session.print(await restore(session, campaign, texter)));
}

async function remove(session: Session, typed: string, typedTexter: string): Promise<Output> {
  const of = await openCampaign(session, typed);
  const { campaignId } = of.campaign;
  const { texterId } = await removeTexter(of.context, campaignId, findTexter(of, typedTexter).texterId);
  await session.notifyWaitingClaims(campaignId);
  const text = `${of.names.of(texterId)} is removed. Receipts keep the name.\nTo bring the texter back: baton texter restore ${campaignId} ${texterId}`;
  return { json: { campaignId, texterId, removed: true }, text };
}

async function restore(session: Session, typed: string, typedTexter: string): Promise<Output> {
  const { context, campaign } = await openCampaign(session, typed);
  const { campaignId } = campaign;
  const texters = await context.stores.texters.listRemoved(campaignId);
  const { texterId } = findTexter({ campaign, texters }, typedTexter);
  return texterOutput(campaignId, await restoreTexter(context, campaignId, texterId));
}

interface AddOptions {
  readonly id?: string;
  readonly another?: true;
}

async function add(session: Session, typed: string, name: string, options: AddOptions): Promise<Output> {
  const { context, campaign, texters } = await openCampaign(session, typed);
  const { campaignId } = campaign;
  const same = texters.filter((texter) => foldedText(texter.name) === foldedText(name));
  // Who gives an id means another person.
  if (same.length > 0 && options.id === undefined && !options.another) await confirmAnother(session, same);
  const newTexterId = options.id ?? newId('t');
  const texter = await addToCampaign(context, { campaignId, texterId: newTexterId, name });
  return texterOutput(campaignId, texter);
}

async function confirmAnother(session: Session, same: readonly Texter[]): Promise<void> {
  const [first] = same;
  const ids = same.map(({ texterId }) => texterId).join(', ');
  const name = first?.name ?? '';
  const question = `${name} is on this campaign already (${ids}).\nFor another person with this name, type "another" to confirm: `;
  const { terminal } = session;
  const isAsked = terminal.stdin.isTTY && terminal.stderr.isTTY;
  if (isAsked && (await session.ask(question)) === 'another') return;
  throw new Refusal('texter-exists', {
    message: `a texter of the campaign has this name already (${ids}); nobody was added. For another person with the same name, use --another`,
    expected: 'a name that no texter of the campaign has, or --another',
    received: `the name of ${ids}`,
  });
}

async function pause(session: Session, typed: string, typedTexter: string, active: boolean): Promise<Output> {
  const of = await openCampaign(session, typed);
  const { campaignId } = of.campaign;
  const texter = await setActive(of.context, campaignId, findTexter(of, typedTexter).texterId, active);
  await session.notifyWaitingClaims(campaignId);
  return texterOutput(campaignId, texter);
}

async function list(session: Session, typed: string): Promise<Output> {
  const { campaign, texters } = await openCampaign(session, typed);
  const rows = texters.map((texter) => [texter.texterId, texter.name, stateOf(texter), texter.joinedOrder]);
  return {
    json: { campaignId: campaign.campaignId, texters },
    text: rows.length > 0 ? fittedTable(COLUMNS, rows) : 'No texters.',
  };
}

function stateOf({ active }: Texter): string {
  return active ? 'active' : 'paused';
}

function texterOutput(campaignId: string, texter: Texter): Output {
  const text = facts([
    ['texter', texter.texterId],
    ['name', texter.name],
    ['state', stateOf(texter)],
    ['joined', texter.joinedOrder],
  ]);
  return { json: { campaignId, ...texter }, text };
}
