export { MongoCampaignsStore } from './campaign-store.ts';
export { NAME_CHARS_MAX, SELF_ASSIGN_BATCH_MAX, SELF_ASSIGN_DEFAULT, type SelfAssignSettings } from './campaign.ts';
export { MongoCampaignStore, MongoTexterStore } from './facts-store.ts';
export { addTexter, changeRules, createCampaign, setActive, setClosed } from './manage.ts';
export type {
  CampaignFacts,
  CampaignRecord,
  CampaignStore,
  CampaignsStore,
  Texter,
  TexterRecord,
  TexterStore,
} from './ports.ts';
