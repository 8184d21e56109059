import type { Credit } from '../domain/credits.ts';
import type { Campaign, SelfAssignSettings, Texter } from './campaign.ts';

/** `unfinished`: how many operations and claims had not ended. Only a closed campaign without any was removed. */
export interface CampaignRemoval {
  readonly campaign: Campaign;
  readonly unfinished: number;
  readonly isRemoved: boolean;
}

/** A place in the list of campaigns, newest first. */
export type CampaignPlace = Pick<Campaign, 'createdAt' | 'campaignId'>;

export interface CampaignStore {
  /** Throws a `campaign-exists` refusal when a campaign with this id exists. */
  insert(campaign: Campaign): Promise<void>;
  find(campaignId: string): Promise<Campaign | undefined>;
  /** Reads several with one query. Leaves out those that do not exist. */
  findAll(campaignIds: readonly string[]): Promise<Campaign[]>;
  findByName(name: string, limit: number): Promise<Campaign[]>;
  /** Lists campaigns, newest first. */
  list(limit: number): Promise<Campaign[]>;
  /** Lists the campaigns of an organisation after a place in the list, newest first. */
  listOf(organisationId: string, after: CampaignPlace | null, limit: number): Promise<Campaign[]>;
  /** Returns the changed campaign, or `undefined` when it does not exist. */
  setClosed(campaignId: string, closed: boolean): Promise<Campaign | undefined>;
  /** Returns the changed campaign, or `undefined` when it does not exist. */
  setCountry(campaignId: string, country: string | null): Promise<Campaign | undefined>;
  /** Returns the changed campaign, or `undefined` when it does not exist. */
  rename(campaignId: string, name: string): Promise<Campaign | undefined>;
  /**
   * Removes a closed campaign in which no operation is unfinished, unless that changes meanwhile. Returns what it found;
   * `undefined`: no such campaign.
   */
  remove(campaignId: string, at: Date): Promise<CampaignRemoval | undefined>;
  /** Brings a removed campaign back, closed as it was. Returns `undefined` when there is none. */
  restore(campaignId: string): Promise<Campaign | undefined>;
  /** Changes only the given rules. Returns the changed campaign, or `undefined` when it does not exist. */
  changeRules(campaignId: string, changes: Partial<SelfAssignSettings>): Promise<Campaign | undefined>;
}

export interface CreditStore {
  /** Returns the credits of a campaign's texters that are not zero. */
  list(campaignId: string): Promise<Credit[]>;
}

export interface NewTexter {
  readonly campaignId: string;
  readonly texterId: string;
  readonly name: string;
  readonly createdAt: Date;
}

export interface TexterStore {
  /** Gives the texter the next place in the order of joining. Throws a `texter-exists` or `unknown-campaign` refusal. */
  insert(texter: NewTexter): Promise<Texter>;
  /** Lists all texters of the campaign in their order of joining. */
  list(campaignId: string): Promise<Texter[]>;
  /** Finds those of the texters that are on the campaign. Their orders of joining are as stored. */
  findMany(campaignId: string, texterIds: readonly string[]): Promise<Texter[]>;
  /** Lists the texters who were removed from the campaign. Old receipts name them. */
  listRemoved(campaignId: string): Promise<Texter[]>;
  /** Returns the changed texter, or `undefined` when the campaign has no such texter. */
  rename(campaignId: string, texterId: string, name: string): Promise<Texter | undefined>;
  /** Removes a paused texter. Returns `undefined` when the campaign has no such texter, or when the texter is active. */
  remove(campaignId: string, texterId: string, at: Date): Promise<Texter | undefined>;
  /** Brings a removed texter back, paused. Returns `undefined` when there is none. */
  restore(campaignId: string, texterId: string): Promise<Texter | undefined>;
  /** Returns the changed texter, or `undefined` when the campaign has no such texter. */
  setActive(campaignId: string, texterId: string, active: boolean): Promise<Texter | undefined>;
  find(campaignId: string, texterId: string): Promise<Texter | undefined>;
  /** Returns how often the tokens of a texter were revoked, or `undefined` when the campaign has no such texter. */
  tokenVersion(campaignId: string, texterId: string): Promise<number | undefined>;
  /** Revokes the tokens of a texter. Returns the new version, or `undefined` when the campaign has no such texter. */
  revokeTokens(campaignId: string, texterId: string): Promise<number | undefined>;
}
