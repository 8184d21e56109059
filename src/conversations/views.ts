import {
  HIDDEN_STATUSES,
  isStatus,
  positionOf,
  STATUSES,
  VISIBLE_STATUSES,
  type Assignee,
  type Candidate,
  type Position,
  type Status,
} from '../domain/conversation.ts';
import type { AssigneeCount, ConversationRecord, ConversationStore, Moment, ViewStore } from './ports.ts';
import { sumOf } from '../domain/receipt.ts';
import { readInOrder } from './read-in-order.ts';
import type { TexterStore } from '../campaigns/index.ts';

export interface ViewDeps {
  readonly stores: { readonly texters: TexterStore; readonly conversations: ConversationStore };
  readonly views: ViewStore;
}

/** The numbers of an assignee's conversations. */
export interface Load {
  /** Those that a texter can act on, by status. */
  readonly counts: Readonly<Record<Status, number>>;
  /** Those of contacts who opted out. */
  readonly optedOut: number;
  /** Those that operations skip, because other programs wrote them without a status or without saying who opted out. */
  readonly incomplete: number;
  /** All of them. */
  readonly total: number;
}

export interface Sender extends Load {
  readonly texterId: string;
  /** `null` when conversations are assigned to an id that no texter of the campaign has. */
  readonly name: string | null;
  readonly active: boolean;
}

export interface SendersView {
  readonly campaignId: string;
  /** The moment for which all numbers hold, in ISO 8601. */
  readonly countedAt: string;
  /** The campaign's texters in their order of joining, then assignees that are not texters of the campaign. */
  readonly senders: readonly Sender[];
  readonly pool: Load;
}

/** Shows how many conversations each texter and the pool have. */
export async function viewSenders({ stores }: ViewDeps, campaignId: string): Promise<SendersView> {
  const texters = await stores.texters.list(campaignId);
  const { countedAt, all, loadOf } = await stores.conversations.atOneMoment((moment) => readLoads(moment, campaignId));
  const texterIds = new Set(texters.map(({ texterId }) => texterId));
  const assigneeIds = new Set(all.flatMap(({ assigneeId }) => assigneeId ?? []));
  const unknownIds = [...assigneeIds].filter((id) => !texterIds.has(id));
  return {
    campaignId,
    countedAt: countedAt.toISOString(),
    senders: [
      ...texters.map(({ texterId, name, active }) => ({ texterId, name, active, ...loadOf(texterId) })),
      ...unknownIds.map((texterId) => ({ texterId, name: null, active: false, ...loadOf(texterId) })),
    ],
    pool: loadOf(null),
  };
}

/** Counts the conversations of one texter. Those without a status are not counted. */
export async function viewLoad(
  { stores }: Pick<ViewDeps, 'stores'>,
  campaignId: string,
  texterId: string,
): Promise<Pick<Load, 'counts' | 'optedOut'>> {
  const { loadOf } = await stores.conversations.atOneMoment((moment) => readLoads(moment, campaignId, [texterId]));
  const { counts, optedOut } = loadOf(texterId);
  return { counts, optedOut };
}

async function readLoads(moment: Moment, campaignId: string, assignees?: readonly string[]) {
  const all = await moment.countByAssignee(campaignId, assignees && { assignees, statuses: STATUSES });
  const counts = {
    all: byAssignee(all),
    optedOut: byAssignee(await moment.countOptedOut(campaignId, assignees)),
    withoutOptOut: byAssignee(await moment.countWithoutOptOut(campaignId, assignees)),
  };
  return { countedAt: moment.at, all, loadOf: (assigneeId: Assignee): Load => loadOf(assigneeId, counts) };
}

type Counts = Readonly<Record<'all' | 'optedOut' | 'withoutOptOut', ReadonlyMap<Assignee, readonly AssigneeCount[]>>>;

function byAssignee(counts: readonly AssigneeCount[]): Map<Assignee, AssigneeCount[]> {
  const groups = new Map<Assignee, AssigneeCount[]>();
  for (const each of counts) {
    const group = groups.get(each.assigneeId);
    if (group) group.push(each);
    else groups.set(each.assigneeId, [each]);
  }
  return groups;
}

function loadOf(assigneeId: Assignee, counts: Counts): Load {
  const count = (kind: keyof Counts, isCounted: (status: Status) => boolean): number =>
    sumOf((counts[kind].get(assigneeId) ?? []).filter(({ status }) => isCounted(status)));
  const byStatus = STATUSES.map((status) => {
    const [all, optedOut, withoutOptOut] = (['all', 'optedOut', 'withoutOptOut'] as const).map((kind) =>
      count(kind, (each) => each === status),
    );
    return [status, Math.max(0, (all ?? 0) - (optedOut ?? 0) - (withoutOptOut ?? 0))] as const;
  });
  return {
    counts: Object.fromEntries(byStatus) as Record<Status, number>,
    optedOut: count('optedOut', isStatus),
    incomplete: count('withoutOptOut', isStatus) + count('all', (status) => !isStatus(status)),
    total: count('all', () => true),
  };
}

export interface ConversationsQuery {
  readonly campaignId: string;
  readonly assignees: readonly Assignee[];
  /** `undefined` for all statuses that the view shows. */
  readonly status?: Status | undefined;
  readonly limit: number;
  /** The position of the last conversation of the page before; `null` for the first page. */
  readonly after: Position | null;
}

export interface ConversationsView {
  readonly conversations: readonly ConversationRecord[];
  /** The position to continue after; `null` on the last page. */
  readonly next: Position | null;
  /** The number of the assignees' conversations in statuses that the view does not show. */
  readonly hidden: number;
}

/** Shows one page of the conversations view, in the order of selection. */
export async function viewConversations(deps: ViewDeps, query: ConversationsQuery): Promise<ConversationsView> {
  const { campaignId, assignees, limit } = query;
  const hidden = await deps.stores.conversations.count(campaignId, assignees, HIDDEN_STATUSES);
  const candidates = await readCandidates(deps.stores.conversations, query, limit + 1);
  const page = candidates.slice(0, limit);
  const records = await deps.views.findByIds(
    campaignId,
    page.map(({ id }) => id),
  );
  // A conversation can move to another assignee between the two reads.
  const own = records.filter(({ assigneeId }) => assignees.includes(assigneeId));
  const recordById = new Map(own.map((record) => [record.conversationId, record]));
  const last = page.at(-1);
  return {
    conversations: page.flatMap(({ id }) => recordById.get(id) ?? []),
    next: last && candidates.length > limit ? positionOf(last) : null,
    hidden,
  };
}

/** No operation has an empty id, so this leaves no conversation out. */
const NO_OPERATION = '';

async function readCandidates(
  store: ConversationStore,
  { campaignId, assignees, status, after }: ConversationsQuery,
  limit: number,
): Promise<Candidate[]> {
  const statuses = status ? [status] : VISIBLE_STATUSES;
  const selection = { campaignId, sources: assignees, statuses, operationId: NO_OPERATION, limit };
  const candidates: Candidate[] = [];
  for await (const page of readInOrder(store, selection, after)) {
    candidates.push(...page.slice(0, limit - candidates.length));
    if (candidates.length === limit) break;
  }
  return candidates;
}
