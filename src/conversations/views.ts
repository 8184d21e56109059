import { HIDDEN_STATUSES, STATUSES, VISIBLE_STATUSES, type Assignee, type Status } from '../domain/conversation.ts';
import { positionOf, type Position } from '../domain/selection.ts';
import type { AssigneeCount, ConversationStore } from './ports.ts';
import { readInOrder } from './read-in-order.ts';
import type { CampaignsStore } from '../campaigns/index.ts';
import type { ConversationRecord, ViewStore } from './view-ports.ts';

export interface ViewDeps {
  readonly stores: { readonly conversations: ConversationStore };
  readonly campaigns: CampaignsStore;
  readonly views: ViewStore;
}

/** What somebody holds: a number for each status, zeros too. */
export interface Load {
  readonly counts: Readonly<Record<Status, number>>;
  readonly total: number;
}

export interface Sender extends Load {
  readonly texterId: string;
  /** `null`: holds conversations without being a texter of the campaign. */
  readonly name: string | null;
  readonly active: boolean;
}

/** The campaign's texters, as they joined, and the pool, each with what they hold. */
export interface SendersView {
  readonly campaignId: string;
  readonly senders: readonly Sender[];
  readonly pool: Load;
}

export async function viewSenders({ stores, campaigns }: ViewDeps, campaignId: string): Promise<SendersView> {
  const [texters, held] = await Promise.all([
    campaigns.listTexters(campaignId),
    stores.conversations.countByAssignee(campaignId),
  ]);
  const known = new Set(texters.map(({ texterId }) => texterId));
  const strangers = [...new Set(held.map(({ assigneeId }) => assigneeId))].filter(
    (id) => id !== null && !known.has(id),
  );
  return {
    campaignId,
    senders: [
      ...texters.map(({ texterId, name, active }) => ({ texterId, name, active, ...loadOf(texterId, held) })),
      ...strangers.map((id) => ({ texterId: id ?? '', name: null, active: false, ...loadOf(id, held) })),
    ],
    pool: loadOf(null, held),
  };
}

function loadOf(assigneeId: Assignee, held: readonly AssigneeCount[]): Load {
  const own = held.filter((count) => count.assigneeId === assigneeId);
  const countOf = (status: Status): number =>
    own.filter((count) => count.status === status).reduce((sum, { count }) => sum + count, 0);
  const counts = Object.fromEntries(STATUSES.map((status) => [status, countOf(status)])) as Record<Status, number>;
  return { counts, total: own.reduce((sum, { count }) => sum + count, 0) };
}

export interface ConversationsWanted {
  readonly campaignId: string;
  readonly assignees: readonly Assignee[];
  /** `undefined`: all that the view shows. */
  readonly status?: Status | undefined;
  readonly limit: number;
  /** The last one seen, to go on from. */
  readonly after: Position | null;
}

export interface ConversationsView {
  readonly conversations: readonly ConversationRecord[];
  /** Where the next page begins; `null` when there is none. */
  readonly next: Position | null;
  /** Those that the assignees have and the view leaves out. */
  readonly hidden: number;
}

/** A page of the conversations view, in the order of selection. */
export async function viewConversations(deps: ViewDeps, wanted: ConversationsWanted): Promise<ConversationsView> {
  const { campaignId, assignees, limit } = wanted;
  const hidden = await deps.stores.conversations.count(campaignId, assignees, HIDDEN_STATUSES);
  const page = await readPage(deps.stores, wanted);
  const shownIds = page.slice(0, limit).map(({ id }) => id);
  const described = await deps.views.describe(campaignId, shownIds);
  const byId = new Map(described.map((conversation) => [conversation.conversationId, conversation]));
  const last = page[limit - 1];
  return {
    conversations: shownIds.flatMap((id) => byId.get(id) ?? []),
    next: last && page.length > limit ? positionOf(last) : null,
    hidden,
  };
}

/** No operation has an empty id: leaves nobody out. */
const NO_OPERATION = '';

/** One more than is shown, where there are more. */
async function readPage(stores: ViewDeps['stores'], wanted: ConversationsWanted) {
  const { campaignId, assignees, status, after } = wanted;
  const limit = wanted.limit + 1;
  const statuses = status ? [status] : VISIBLE_STATUSES;
  const selection = { campaignId, sources: assignees, statuses, operationId: NO_OPERATION, limit };
  const page = [];
  for await (const chunk of readInOrder(stores.conversations, selection, after)) {
    page.push(...chunk.slice(0, limit - page.length));
    if (page.length === limit) break;
  }
  return page;
}
