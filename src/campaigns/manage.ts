import type { SelfAssignSettings } from '../claims/claim.ts';
import { Refusal, shown } from '../domain/errors.ts';
import { checkedName, refuseReserved, SELF_ASSIGN_DEFAULT } from './campaign.ts';
import type { Clock } from '../operations/ports.ts';
import { unknownCampaign } from '../operations/resolve-plan.ts';
import type { CampaignRecord, RosterStore, TexterRecord } from './ports.ts';

export interface RosterDeps {
  readonly roster: RosterStore;
  readonly clock: Clock;
}

export interface WantedCampaign {
  readonly campaignId: string;
  readonly name: string;
  readonly selfAssign?: Partial<SelfAssignSettings>;
}

/** Opens a campaign. Throws `campaign-exists` when the id is taken: two campaigns of one name are two campaigns. */
export async function createCampaign({ roster, clock }: RosterDeps, wanted: WantedCampaign): Promise<CampaignRecord> {
  const campaign: CampaignRecord = {
    campaignId: wanted.campaignId,
    name: checkedName(wanted.name),
    closed: false,
    selfAssign: { ...SELF_ASSIGN_DEFAULT, ...wanted.selfAssign },
    texterCount: 0,
    createdAt: clock.now(),
  };
  await roster.insertCampaign(campaign);
  return campaign;
}

/** A closed campaign's work may be released, but not be given out any more. Safe to repeat. */
export async function setClosed({ roster }: RosterDeps, campaignId: string, closed: boolean): Promise<CampaignRecord> {
  const campaign = await roster.setClosed(campaignId, closed);
  if (!campaign) throw unknownCampaign(campaignId);
  return campaign;
}

/**
 * Changes some of a campaign's rules for texters who ask for more, and keeps the others. Claims under way are held to the
 * rules as their round finds them. Safe to repeat.
 */
export async function changeRules(
  { roster }: RosterDeps,
  campaignId: string,
  changes: Partial<SelfAssignSettings>,
): Promise<CampaignRecord> {
  const campaign = await roster.changeRules(campaignId, changes);
  if (!campaign) throw unknownCampaign(campaignId);
  return campaign;
}

export interface WantedTexter {
  readonly campaignId: string;
  readonly texterId: string;
  readonly name: string;
}

/** Puts a texter on a campaign, last in the order of joining. Throws `texter-exists` when the id is taken there. */
export async function addTexter({ roster, clock }: RosterDeps, wanted: WantedTexter): Promise<TexterRecord> {
  const name = checkedName(wanted.name);
  refuseReserved(name);
  refuseReserved(wanted.texterId);
  return roster.insertTexter({ ...wanted, name, at: clock.now() });
}

/** A paused texter keeps what they hold and is dealt nothing. Safe to repeat. */
export async function setActive(
  { roster }: RosterDeps,
  campaignId: string,
  texterId: string,
  active: boolean,
): Promise<TexterRecord> {
  const texter = await roster.setActive(campaignId, texterId, active);
  if (texter) return texter;
  throw new Refusal('unknown-texter', { expected: 'a texter of the campaign', got: shown(texterId) });
}
