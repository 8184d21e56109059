import type { Campaign, SelfAssignSettings, Texter } from './campaign.ts';
import { SELF_ASSIGN_BATCH_MAX, SELF_ASSIGN_DEFAULT } from '../domain/self-assign.ts';
import type { CampaignDoc, TexterDoc } from '../mongo/documents.ts';
import { storedCount, storedDate, storedFields, storedText } from '../mongo/stored-values.ts';

/*
 * Other programs write campaigns and texters too. They can leave out any field but the ids, and store values of other types.
 * The table in docs/other-programs.md says what such a field means; this file and `conversations/stored.ts` decide by it.
 */

type Unchecked<Doc> = { readonly [Field in keyof Doc]?: unknown };

export type StoredCampaign = Pick<CampaignDoc, '_id'> & Unchecked<Omit<CampaignDoc, '_id'>>;
export type StoredTexter = Unchecked<Pick<TexterDoc, keyof Texter | 'createdAt'>>;

/** A campaign without rules is open and does not allow self-assign. */
export function toCampaign(doc: StoredCampaign): Campaign {
  return {
    campaignId: doc._id,
    name: storedText(doc.name) ?? doc._id,
    closed: isClosed(doc),
    country: storedText(doc.country),
    selfAssign: rulesOf(doc.selfAssign),
    texterCount: storedCount(doc.texterCount) ?? 0,
    createdAt: storedDate(doc.createdAt) ?? new Date(0),
  };
}

export function isRemoved({ removedAt }: Pick<StoredCampaign, 'removedAt'>): boolean {
  return storedDate(removedAt) !== null;
}

export function isClosed({ closed }: Pick<StoredCampaign, 'closed'>): boolean {
  return closed === true;
}

/** Missing rules have the values of a new campaign. */
export function rulesOf(stored: unknown): SelfAssignSettings {
  const { enabled, batchMax, openMax, repliesMax } = storedFields(stored);
  const largest = storedCount(batchMax, 1) ?? SELF_ASSIGN_DEFAULT.batchMax;
  return {
    enabled: enabled === true,
    batchMax: Math.min(largest, SELF_ASSIGN_BATCH_MAX),
    openMax: storedCount(openMax, 1) ?? SELF_ASSIGN_DEFAULT.openMax,
    repliesMax: storedCount(repliesMax) ?? SELF_ASSIGN_DEFAULT.repliesMax,
  };
}

/**
 * Returns `undefined` for a document without an id: nothing can be assigned to it. A texter is active only if the document
 * says so.
 */
export function toTexter({ texterId: id, name, active, joinedOrder }: StoredTexter): Texter | undefined {
  const texterId = storedText(id);
  if (texterId === null || texterId === '') return undefined;
  return {
    texterId,
    name: storedText(name) ?? texterId,
    active: active === true,
    joinedOrder: storedCount(joinedOrder) ?? 0,
  };
}

/**
 * Returns texters in their order of joining, each with an order of its own. Texters with equal orders, and those without one,
 * come in the order in which they were created.
 */
export function inJoinedOrder(docs: readonly StoredTexter[]): Texter[] {
  let last = 0;
  const placed = docs.flatMap((doc) => {
    const texter = toTexter(doc);
    return texter ? { texter, order: storedCount(doc.joinedOrder), createdAt: storedDate(doc.createdAt) } : [];
  });
  return placed.toSorted(compare).map(({ texter }) => {
    last = Math.max(last + 1, texter.joinedOrder);
    return { ...texter, joinedOrder: last };
  });
}

interface Placed {
  readonly texter: Texter;
  readonly order: number | null;
  readonly createdAt: Date | null;
}

function compare(a: Placed, b: Placed): number {
  // Texters without an order come last.
  const [first, second] = [a.order ?? Infinity, b.order ?? Infinity];
  if (first !== second) return first - second;
  const created = (a.createdAt?.getTime() ?? 0) - (b.createdAt?.getTime() ?? 0);
  if (created !== 0) return created;
  return a.texter.texterId < b.texter.texterId ? -1 : 1;
}
