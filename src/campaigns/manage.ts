import type { SelfAssignSettings } from './campaign.ts';
import { unknownCampaign, unknownTexter } from '../domain/errors.ts';
import { checkedName, refuseReserved, SELF_ASSIGN_DEFAULT } from './campaign.ts';
import type { Clock } from '../domain/clock.ts';
import type { CampaignRecord, CampaignsStore, TexterRecord } from './ports.ts';

export interface CampaignsDeps {
  readonly campaigns: CampaignsStore;
  readonly clock: Clock;
}

export interface WantedCampaign {
  readonly campaignId: string;
  readonly name: string;
  readonly selfAssign?: Partial<SelfAssignSettings>;
}

/** Opens a campaign. Throws `campaign-exists` when the id is taken: two campaigns of one name are two campaigns. */
export async function createCampaign(
  { campaigns, clock }: CampaignsDeps,
  wanted: WantedCampaign,
): Promise<CampaignRecord> {
  const campaign: CampaignRecord = {
    campaignId: wanted.campaignId,
    name: checkedName(wanted.name),
    closed: false,
    selfAssign: { ...SELF_ASSIGN_DEFAULT, ...wanted.selfAssign },
    texterCount: 0,
    createdAt: clock.now(),
  };
  await campaigns.insertCampaign(campaign);
  return campaign;
}

/** A closed campaign's work may be released, but not be given out any more. Safe to repeat. */
export async function setClosed(
  { campaigns }: CampaignsDeps,
  campaignId: string,
  closed: boolean,
): Promise<CampaignRecord> {
  const campaign = await campaigns.setClosed(campaignId, closed);
  if (!campaign) throw unknownCampaign(campaignId);
  return campaign;
}

/**
 * Changes some of a campaign's rules for texters who ask for more, and keeps the others. Claims under way are held to the
 * rules as their round finds them. Safe to repeat.
 */
export async function changeRules(
  { campaigns }: CampaignsDeps,
  campaignId: string,
  changes: Partial<SelfAssignSettings>,
): Promise<CampaignRecord> {
  const campaign = await campaigns.changeRules(campaignId, changes);
  if (!campaign) throw unknownCampaign(campaignId);
  return campaign;
}

export interface WantedTexter {
  readonly campaignId: string;
  readonly texterId: string;
  readonly name: string;
}

/** Puts a texter on a campaign, last in the order of joining. Throws `texter-exists` when the id is taken there. */
export async function addTexter({ campaigns, clock }: CampaignsDeps, wanted: WantedTexter): Promise<TexterRecord> {
  const name = checkedName(wanted.name);
  refuseReserved(name);
  refuseReserved(wanted.texterId);
  return campaigns.insertTexter({ ...wanted, name, at: clock.now() });
}

/** A paused texter keeps what they hold and is dealt nothing. Safe to repeat. */
export async function setActive(
  { campaigns }: CampaignsDeps,
  campaignId: string,
  texterId: string,
  active: boolean,
): Promise<TexterRecord> {
  const texter = await campaigns.setActive(campaignId, texterId, active);
  if (texter) return texter;
  throw unknownTexter(texterId);
}
