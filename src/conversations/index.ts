export { movesUpdate, moveUpdate, NOT_MOVED, SINCE_LAST_MOVE_FIELDS, sinceLastMove, UNCHANGED } from './move-update.ts';
export { MongoCompletenessStore } from './completeness-store.ts';
export { asCandidate, CANDIDATE_FIELDS, type CandidateDoc, MongoConversationStore } from './conversation-store.ts';
export type {
  AssigneeCount,
  ConversationCounts,
  CompletenessStore,
  ConversationRange,
  ConversationRecord,
  ConversationStore,
  ConversationWithHistory,
  IncompleteCampaign,
  Moment,
  TextMatch,
  ViewStore,
} from './ports.ts';
export { readFromEnd } from './read-from-end.ts';
export { mayLeaveOutSources, readInOrder, type PageStore } from './read-in-order.ts';
export { SharedMoments } from './shared-moments.ts';
export { assigneeOf, isComplete, isTimed, type StoredConversation } from './stored.ts';
export { ANY_TIME, mergePlaces, moment, moments, NO_TIME, OTHER_TYPES, readUntimed } from './untimed.ts';
export { MongoViewStore } from './view-store.ts';
export {
  type ConversationsView,
  type Load,
  type Sender,
  type SendersView,
  viewConversations,
  viewLoad,
  viewSenders,
} from './views.ts';
