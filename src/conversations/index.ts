export { MongoConversationStore } from './conversation-store.ts';
export type { AssigneeCount, ConversationStore } from './ports.ts';
export { readInOrder } from './read-in-order.ts';
export type { ConversationRecord, ConversationWithHistory, ViewStore } from './view-ports.ts';
export { MongoViewStore } from './view-store.ts';
export { type ConversationsView, type Load, type Sender, viewConversations, viewSenders } from './views.ts';
