export { MongoCampaignStore, nextOperationCount, MongoCreditStore, replaceCredits } from './campaign-store.ts';
export {
  SELF_ASSIGN_BATCH_MAX,
  SELF_ASSIGN_DEFAULT,
  type Campaign,
  type SelfAssignSettings,
  type Texter,
} from './campaign.ts';
export { changeRules, checkedCountry, createCampaign, findCampaign, setClosed, setCountry } from './manage.ts';
export {
  removeCampaign,
  removeTexter,
  renameCampaign,
  renameTexter,
  restoreCampaign,
  restoreTexter,
} from './remove.ts';
export {
  addTexter,
  addTexters,
  removeTexters,
  revokeTokens,
  setActive,
  setEachActive,
  type TexterOutcome,
} from './texters.ts';
export type { CampaignStore, CreditStore, TexterStore } from './ports.ts';
export { readWord, TexterWords } from './texter-words.ts';
export { fenceActive, RAISE_FENCE } from './fence.ts';
export { isClosed, rulesOf, type StoredCampaign } from './stored.ts';
export { MongoTexterStore } from './texter-store.ts';
