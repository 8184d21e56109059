import type { Credit } from '../domain/credits.ts';
import type { Campaign, SelfAssignSettings, Texter } from './campaign.ts';

export interface CampaignStore {
  /** Throws a `campaign-exists` refusal when a campaign with this id exists. */
  insert(campaign: Campaign): Promise<void>;
  find(campaignId: string): Promise<Campaign | undefined>;
  findByName(name: string, limit: number): Promise<Campaign[]>;
  /** Lists campaigns, newest first. */
  list(limit: number): Promise<Campaign[]>;
  /** Returns the changed campaign, or `undefined` when it does not exist. */
  setClosed(campaignId: string, closed: boolean): Promise<Campaign | undefined>;
  /** Returns the changed campaign, or `undefined` when it does not exist. */
  setCountry(campaignId: string, country: string | null): Promise<Campaign | undefined>;
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
  /** Returns the changed texter, or `undefined` when the campaign has no such texter. */
  setActive(campaignId: string, texterId: string, active: boolean): Promise<Texter | undefined>;
}
