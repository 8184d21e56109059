import type { SelfAssignSettings } from '../../../src/campaigns/campaign.ts';
import type { Assignee } from '../../../src/domain/conversation.ts';
import type { Receipt } from '../../../src/domain/receipt.ts';
import type { BatchDoc, ClaimDoc, ConversationDoc, OperationDoc } from '../../../src/mongo/documents.ts';
import { idsOf } from '../raw.ts';

/** A campaign as a test created it, before the first request. */
export interface SeededCampaign {
  readonly campaignId: string;
  readonly texterIds: readonly string[];
  readonly rules: SelfAssignSettings;
  readonly assignees: ReadonlyMap<string, Assignee>;
}

/** A request that a test sent, with the answers to all its sendings. */
export interface SentRequest {
  /** The id of the operation that it creates or cancels. */
  readonly operationId: string;
  readonly campaignId: string;
  readonly answers: readonly Answer[];
  /** True when it cancels the operation. */
  readonly cancels?: true;
}

export type Answer =
  | { readonly receipt: Receipt; readonly outcome?: 'created' | 'exists'; readonly conversationIds?: readonly string[] }
  | { readonly code: string };

/** A move in an applied batch or in a claim. */
export interface StoredMove {
  readonly operationId: string;
  readonly conversationId: string;
  readonly from: Assignee;
  readonly to: Assignee;
}

/** What the database stores about one campaign. */
export interface CampaignRecords {
  readonly conversations: ReadonlyMap<string, ConversationDoc>;
  /** All operations except claims, in their order. */
  readonly operations: readonly OperationDoc[];
  readonly claims: readonly ClaimDoc[];
  /** By operation. */
  readonly batches: ReadonlyMap<string, readonly BatchDoc[]>;
  readonly moves: readonly StoredMove[];
}

export function storedMoves(batches: readonly BatchDoc[], claims: readonly ClaimDoc[]): StoredMove[] {
  const applied = batches.filter(({ state }) => state === 'applied');
  return [
    ...applied.flatMap(({ operationId, moves }) =>
      moves.flatMap(({ from, to, ...group }) =>
        idsOf([group]).map((conversationId) => ({ operationId, conversationId, from, to })),
      ),
    ),
    ...claims.flatMap(({ _id: operationId, granted, request: { texterId: to } }) =>
      granted.map((id) => ({ operationId, conversationId: id.toHexString(), from: null, to })),
    ),
  ];
}

export function isClaim(doc: OperationDoc | ClaimDoc): doc is ClaimDoc {
  return (doc.request.kind as string) === 'self-assign';
}

export function groupBy<Item, Key>(items: readonly Item[], keyOf: (item: Item) => Key): Map<Key, Item[]> {
  const groups = new Map<Key, Item[]>();
  for (const item of items) {
    const group = groups.get(keyOf(item));
    if (group) group.push(item);
    else groups.set(keyOf(item), [item]);
  }
  return groups;
}

export function sum(rows: readonly { readonly count: number }[]): number {
  return rows.reduce((total, { count }) => total + count, 0);
}

/** Writes out a value with its keys in one order: a receipt may come from the queue or from the database. */
export function sortedJson(value: unknown): string {
  return JSON.stringify(value, (_key, inner: unknown) =>
    typeof inner === 'object' && inner !== null && !Array.isArray(inner)
      ? Object.fromEntries(Object.entries(inner).sort(([a], [b]) => (a < b ? -1 : 1)))
      : inner,
  );
}
