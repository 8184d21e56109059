import { type Command, Option } from 'commander';
import { type Campaign, changeRules, SELF_ASSIGN_BATCH_MAX, type SelfAssignSettings } from '../../campaigns/index.ts';
import { wholeNumber, wholeNumberOrNone } from '../arguments.ts';
import { findCampaign } from '../lookup.ts';
import { CAMPAIGN } from '../options.ts';
import type { Session } from '../session.ts';
import { facts, moment, type Output } from '../terminal.ts';

/** The limits of self-assign, as options. */
export interface LimitOptions {
  readonly batchMax?: number;
  readonly openMax?: number;
  readonly repliesMax?: number | 'none';
}

interface RulesOptions extends LimitOptions {
  readonly selfAssign?: 'on' | 'off';
}

const OPEN_MAX = 1_000_000;

export function addLimitOptions(command: Command, defaults: Partial<SelfAssignSettings> = {}): Command {
  const { batchMax, openMax } = defaults;
  return command
    .option(
      '--batch-max <n>',
      'most conversations for one claim',
      wholeNumber('--batch-max', 1, SELF_ASSIGN_BATCH_MAX),
      batchMax,
    )
    .option(
      '--open-max <n>',
      'most not-started conversations that a texter has after a claim',
      wholeNumber('--open-max', 1, OPEN_MAX),
      openMax,
    )
    .option(
      '--replies-max <n>',
      'refuse a claim while the texter has more conversations than this that need a reply; "none": no such limit',
      wholeNumberOrNone('--replies-max', 0, OPEN_MAX),
    );
}

/** Returns the given limits only, so that the others do not change. */
export function limitsOf({ batchMax, openMax, repliesMax }: LimitOptions): Partial<SelfAssignSettings> {
  return {
    ...(batchMax !== undefined && { batchMax }),
    ...(openMax !== undefined && { openMax }),
    ...(repliesMax !== undefined && { repliesMax: repliesMax === 'none' ? null : repliesMax }),
  };
}

export function addRules(group: Command, session: Session): void {
  const command = group
    .command('rules')
    .summary('show or change the rules of self-assign')
    .description(
      'Changes the given rules, keeps the others, and shows them all. Waiting claims are served by the new rules at once.',
    )
    .argument(...CAMPAIGN)
    .addOption(new Option('--self-assign <on|off>', 'whether texters may claim conversations').choices(['on', 'off']));
  addLimitOptions(command).action(async (typed: string, options: RulesOptions) =>
    session.print(await rules(session, typed, options)),
  );
}

async function rules(session: Session, typed: string, options: RulesOptions): Promise<Output> {
  const { selfAssign } = options;
  const changes = { ...limitsOf(options), ...(selfAssign !== undefined && { enabled: selfAssign === 'on' }) };
  const context = await session.context();
  const campaign = await findCampaign(context, typed);
  if (Object.keys(changes).length === 0) return campaignOutput(campaign);
  const changed = await changeRules(context, campaign.campaignId, changes);
  await session.notifyWaitingClaims(changed.campaignId);
  return campaignOutput(changed);
}

export function stateOf({ closed }: Campaign): string {
  return closed ? 'closed' : 'open';
}

export function campaignOutput(campaign: Campaign): Output {
  const text = facts([
    ['campaign', campaign.campaignId],
    ['name', campaign.name],
    ['state', stateOf(campaign)],
    ['country', campaign.country ?? '–'],
    ['texters', campaign.texterCount],
    ['self-assign', rulesText(campaign.selfAssign)],
    ['created', moment(campaign.createdAt)],
  ]);
  return { json: campaign, text };
}

function rulesText({ enabled, batchMax, openMax, repliesMax }: SelfAssignSettings): string {
  const replies = repliesMax === null ? '' : `; no claim while more than ${repliesMax} need a reply`;
  const limits = `at most ${batchMax} at once and ${openMax} not-started in all${replies}`;
  return enabled ? limits : `off (when on: ${limits})`;
}
