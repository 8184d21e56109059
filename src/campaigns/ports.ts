import type { SelfAssignSettings } from './campaign.ts';

/** A campaign as people see it. */
export interface CampaignRecord {
  readonly campaignId: string;
  readonly name: string;
  readonly closed: boolean;
  readonly selfAssign: SelfAssignSettings;
  /** Texters that ever joined. */
  readonly texterCount: number;
  readonly createdAt: Date;
}

/** A texter as people see them. */
export interface TexterRecord extends Texter {
  readonly name: string;
}

export interface NewTexter {
  readonly campaignId: string;
  readonly texterId: string;
  readonly name: string;
  readonly at: Date;
}

/** Who there is: campaigns and their texters. Engine and campaigns share the collections, never a write. */
export interface CampaignsStore {
  /** Throws a `campaign-exists` refusal when the id is taken. */
  insertCampaign(campaign: CampaignRecord): Promise<void>;
  findCampaign(campaignId: string): Promise<CampaignRecord | undefined>;
  campaignsNamed(name: string, limit: number): Promise<CampaignRecord[]>;
  /** Newest first. */
  listCampaigns(limit: number): Promise<CampaignRecord[]>;
  /** `undefined`: no such campaign. */
  setClosed(campaignId: string, closed: boolean): Promise<CampaignRecord | undefined>;
  /** Writes these rules and no others. `undefined`: no such campaign. */
  changeRules(campaignId: string, changes: Partial<SelfAssignSettings>): Promise<CampaignRecord | undefined>;
  /** Gives the texter the next place in the order of joining. Throws `texter-exists` or `unknown-campaign`. */
  insertTexter(texter: NewTexter): Promise<TexterRecord>;
  /** `undefined`: no such texter. */
  setActive(campaignId: string, texterId: string, active: boolean): Promise<TexterRecord | undefined>;
  /** All texters of the campaign, as they joined. */
  listTexters(campaignId: string): Promise<TexterRecord[]>;
}

/** A texter of a campaign, as planning needs it. */
export interface Texter {
  readonly texterId: string;
  readonly joinedOrder: number;
  readonly active: boolean;
}

/** What an operation needs to know of its campaign. */
export interface CampaignFacts {
  readonly campaignId: string;
  readonly closed: boolean;
  /** Where the next dealing begins, in the order of joining. */
  readonly nextJoinedOrder: number;
}

export interface CampaignStore {
  find(campaignId: string): Promise<CampaignFacts | undefined>;
  /** Keeps where the next dealing begins, unless a later operation already has. Safe to repeat. */
  keepRotation(campaignId: string, sequence: number, nextJoinedOrder: number): Promise<void>;
}

export interface TexterStore {
  /** All texters of the campaign, as they joined. */
  list(campaignId: string): Promise<Texter[]>;
}
