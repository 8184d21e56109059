import type { Campaign, SelfAssignSettings, Texter } from './campaign.ts';
import { SELF_ASSIGN_DEFAULT } from '../domain/self-assign.ts';
import type { CampaignDoc, TexterDoc } from '../mongo/documents.ts';

/*
 * Other programs write campaigns and texters too, and can leave out any field but the ids. The table in
 * docs/other-programs.md says what a missing field means; this file and `conversations/stored.ts` decide by it.
 */

type Incomplete<Doc, Ids extends keyof Doc> = Pick<Doc, Ids> & {
  readonly [Field in Exclude<keyof Doc, Ids>]?: Doc[Field] | null | undefined;
};

export type StoredCampaign = Incomplete<CampaignDoc, '_id'>;
export type StoredTexter = Incomplete<Pick<TexterDoc, keyof Texter | 'createdAt'>, 'texterId'>;

/** A campaign without rules is open and does not allow self-assign. */
export function toCampaign(doc: StoredCampaign): Campaign {
  return {
    campaignId: doc._id,
    name: doc.name ?? doc._id,
    closed: doc.closed === true,
    country: doc.country ?? null,
    selfAssign: rulesOf(doc.selfAssign),
    texterCount: doc.texterCount ?? 0,
    createdAt: doc.createdAt ?? new Date(0),
  };
}

/** Missing rules have the values of a new campaign. */
export function rulesOf(stored: Partial<SelfAssignSettings> | null | undefined): SelfAssignSettings {
  const { enabled, batchMax, openMax, repliesMax } = stored ?? {};
  return {
    enabled: enabled === true,
    batchMax: batchMax ?? SELF_ASSIGN_DEFAULT.batchMax,
    openMax: openMax ?? SELF_ASSIGN_DEFAULT.openMax,
    repliesMax: repliesMax ?? SELF_ASSIGN_DEFAULT.repliesMax,
  };
}

/** A texter is active only if the document says so. */
export function toTexter({ texterId, name, active, joinedOrder }: StoredTexter): Texter {
  return { texterId, name: name ?? texterId, active: active === true, joinedOrder: joinedOrder ?? 0 };
}

/**
 * Returns texters in their order of joining, each with an order of its own. Texters with equal orders, and those without one,
 * come in the order in which they were created.
 */
export function inJoinedOrder(docs: readonly StoredTexter[]): Texter[] {
  let last = 0;
  return docs.toSorted(compare).map((doc) => {
    last = Math.max(last + 1, doc.joinedOrder ?? 0);
    return { ...toTexter(doc), joinedOrder: last };
  });
}

function compare(a: StoredTexter, b: StoredTexter): number {
  // Texters without an order come last.
  const [first, second] = [a.joinedOrder ?? Infinity, b.joinedOrder ?? Infinity];
  if (first !== second) return first - second;
  const created = (a.createdAt?.getTime() ?? 0) - (b.createdAt?.getTime() ?? 0);
  if (created !== 0) return created;
  return a.texterId < b.texterId ? -1 : 1;
}
