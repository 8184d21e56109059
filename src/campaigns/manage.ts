import {
  checkedName,
  refuseReservedWord,
  SELF_ASSIGN_DEFAULT,
  type Campaign,
  type SelfAssignSettings,
  type Texter,
} from './campaign.ts';
import type { CampaignStore, TexterStore } from './ports.ts';
import type { Clock } from '../domain/operation.ts';
import { Refusal, unknownCampaign, unknownTexter } from '../domain/errors.ts';
import { shown } from '../domain/shown.ts';

export interface CampaignDeps {
  readonly stores: { readonly campaigns: CampaignStore; readonly texters: TexterStore };
  readonly clock: Clock;
}

export interface CampaignRequest {
  readonly campaignId: string;
  readonly name: string;
  /** The ISO 3166 code of a country. Default: none. */
  readonly country?: string;
  readonly selfAssign?: Partial<SelfAssignSettings>;
}

/** Creates an open campaign. Throws a `campaign-exists` refusal when its id is taken; campaigns may share a name. */
export async function createCampaign({ stores, clock }: CampaignDeps, request: CampaignRequest): Promise<Campaign> {
  const campaign: Campaign = {
    campaignId: request.campaignId,
    name: checkedName(request.name),
    closed: false,
    country: request.country === undefined ? null : await checkedCountry(request.country),
    selfAssign: { ...SELF_ASSIGN_DEFAULT, ...request.selfAssign },
    texterCount: 0,
    createdAt: clock.now(),
  };
  await stores.campaigns.insert(campaign);
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
export async function setClosed({ stores }: CampaignDeps, campaignId: string, closed: boolean): Promise<Campaign> {
  return known(await stores.campaigns.setClosed(campaignId, closed), campaignId);
}

/** Changes the country whose phone numbers need no country code. Stored numbers do not change. Safe to repeat. */
export async function setCountry({ stores }: CampaignDeps, campaignId: string, country: string): Promise<Campaign> {
  return known(await stores.campaigns.setCountry(campaignId, await checkedCountry(country)), campaignId);
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
export async function changeRules(
  { stores }: CampaignDeps,
  campaignId: string,
  changes: Partial<SelfAssignSettings>,
): Promise<Campaign> {
  return known(await stores.campaigns.changeRules(campaignId, changes), campaignId);
}

export interface TexterRequest {
  readonly campaignId: string;
  readonly texterId: string;
  readonly name: string;
}

/** Puts a texter on a campaign, last in the order of joining. Throws a `texter-exists` refusal when the id is taken. */
export async function addTexter({ stores, clock }: CampaignDeps, request: TexterRequest): Promise<Texter> {
  const name = checkedName(request.name);
  refuseReservedWord(name);
  refuseReservedWord(request.texterId);
  return stores.texters.insert({ ...request, name, createdAt: clock.now() });
}

/** Pauses a texter or ends the pause. After a pause, the texter is given nothing more. Safe to repeat. */
export async function setActive(
  { stores }: CampaignDeps,
  campaignId: string,
  texterId: string,
  active: boolean,
): Promise<Texter> {
  const texter = await stores.texters.setActive(campaignId, texterId, active);
  if (!texter) throw unknownTexter(texterId);
  return texter;
}

function known(campaign: Campaign | undefined, campaignId: string): Campaign {
  if (!campaign) throw unknownCampaign(campaignId);
  return campaign;
}
