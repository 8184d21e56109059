import { checkedName, SELF_ASSIGN_DEFAULT, type Campaign, type SelfAssignSettings, changeOf } from './campaign.ts';
import type { CampaignStore, TexterStore } from './ports.ts';
import { recorded, type RecordDeps } from '../access/index.ts';
import { Refusal, unknownCampaign } from '../domain/errors.ts';
import { shown } from '../domain/visible-text.ts';

/** Every change is recorded with its actor. */
export interface CampaignDeps extends RecordDeps {
  readonly stores: { readonly campaigns: CampaignStore; readonly texters: TexterStore };
}

export interface CampaignRequest {
  readonly campaignId: string;
  readonly name: string;
  /** The ISO 3166 code of a country. Default: none. */
  readonly country?: string;
  readonly selfAssign?: Partial<SelfAssignSettings>;
}

/** Creates an open campaign. Throws a `campaign-exists` refusal when its id is taken; campaigns may share a name. */
export async function createCampaign(deps: CampaignDeps, request: CampaignRequest): Promise<Campaign> {
  const campaign: Campaign = {
    campaignId: request.campaignId,
    name: checkedName(request.name),
    closed: false,
    country: request.country === undefined ? null : await checkedCountry(request.country),
    selfAssign: { ...SELF_ASSIGN_DEFAULT, ...request.selfAssign },
    texterCount: 0,
    createdAt: deps.clock.now(),
  };
  const { campaignId, country, selfAssign } = campaign;
  const change = changeOf('campaign-created', campaignId, [], { country, selfAssign });
  await recorded(deps, change, () => deps.stores.campaigns.insert(campaign));
  return campaign;
}

/** Returns the campaign with this id. Throws an `unknown-campaign` refusal. */
export async function findCampaign(
  { campaigns }: { readonly campaigns: Pick<CampaignStore, 'find'> },
  campaignId: string,
): Promise<Campaign> {
  return known(await campaigns.find(campaignId), campaignId);
}

/**
 * Closes or reopens a campaign. After it has closed the campaign, no texter is given a conversation any more: the batches in
 * progress have ended, and operations that give to texters halt. Safe to repeat.
 */
export function setClosed(deps: CampaignDeps, campaignId: string, closed: boolean): Promise<Campaign> {
  const change = changeOf(closed ? 'campaign-closed' : 'campaign-opened', campaignId);
  return recorded(deps, change, async () =>
    known(await deps.stores.campaigns.setClosed(campaignId, closed), campaignId),
  );
}

/** Changes the country whose phone numbers need no country code. Stored numbers do not change. Safe to repeat. */
export async function setCountry(deps: CampaignDeps, campaignId: string, code: string): Promise<Campaign> {
  const country = await checkedCountry(code);
  return recorded(deps, changeOf('country-changed', campaignId, [], { country }), async () =>
    known(await deps.stores.campaigns.setCountry(campaignId, country), campaignId),
  );
}

/** Returns the code of a country in upper case. Throws a `bad-request` refusal for a word that names no country. */
export async function checkedCountry(code: string): Promise<string> {
  const { countryOf } = await import('../domain/phone.ts');
  const country = countryOf(code);
  if (country !== undefined) return country;
  throw new Refusal('bad-request', {
    message: `${shown(code)} is not the code of a country with phone numbers`,
    expected: 'an ISO 3166 code of two letters, such as US',
    received: shown(code),
  });
}

/**
 * Changes some of a campaign's self-assign rules and keeps the others. A claim that is already sent is served by the
 * rules at the time when it is served. Safe to repeat.
 */
export function changeRules(
  deps: CampaignDeps,
  campaignId: string,
  changes: Partial<SelfAssignSettings>,
): Promise<Campaign> {
  return recorded(deps, changeOf('rules-changed', campaignId, [], { ...changes }), async () =>
    known(await deps.stores.campaigns.changeRules(campaignId, changes), campaignId),
  );
}

function known(campaign: Campaign | undefined, campaignId: string): Campaign {
  if (!campaign) throw unknownCampaign(campaignId);
  return campaign;
}
