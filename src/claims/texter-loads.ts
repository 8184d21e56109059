import type { mongo } from 'mongoose';
import type { Status } from '../domain/conversation.ts';
import type { Database } from '../mongo/database.ts';
import type { TexterDoc } from '../mongo/documents.ts';
import type { TexterLoad } from './rules.ts';

const COUNTED_STATUS = { notStarted: 'not-started', needsReply: 'needs-reply' } as const satisfies Record<
  keyof Omit<TexterLoad, 'active'>,
  Status
>;

/** The result of `$count`: one document, or none when there is nothing to count. */
type Counted = readonly { readonly count: number }[];

export interface CountedTexter extends Pick<TexterDoc, 'texterId'>, Partial<Pick<TexterDoc, 'active'>> {
  readonly notStarted: Counted;
  readonly needsReply?: Counted;
  /** Those of them that no texter can act on. */
  readonly notStartedOptedOut: Counted;
  readonly notStartedIncomplete: Counted;
  readonly needsReplyOptedOut?: Counted;
  readonly needsReplyIncomplete?: Counted;
}

/**
 * Counts each texter's conversations in a query of its own. For 50 texters with 170 conversations each this takes 11 ms;
 * one query that groups all of them takes 43 ms. `$lookup` takes no hint, but only one index has all three keys. The
 * conversations that no texter can act on have small indexes of their own. They are counted and subtracted, because an
 * index over the others would make every move slower.
 */
export function countAssigned(
  { conversations }: Database,
  campaignId: string,
  as: keyof typeof COUNTED_STATUS,
): mongo.Document[] {
  const match = { campaignId, status: COUNTED_STATUS[as] };
  const from = conversations.collectionName;
  const count = (name: string, more: mongo.Document): mongo.Document => {
    const pipeline = [{ $match: { ...match, ...more } }, { $count: 'count' }];
    return { $lookup: { from, localField: 'texterId', foreignField: 'assigneeId', pipeline, as: name } };
  };
  return [count(as, {}), count(`${as}OptedOut`, { optedOut: true }), count(`${as}Incomplete`, { optedOut: null })];
}

export function loadsById(texters: readonly CountedTexter[]): ReadonlyMap<string, TexterLoad> {
  return new Map(texters.map((texter) => [texter.texterId, toLoad(texter)]));
}

function toLoad({ active, ...counts }: CountedTexter): TexterLoad {
  const { notStartedOptedOut, notStartedIncomplete, needsReplyOptedOut, needsReplyIncomplete } = counts;
  return {
    active: active === true,
    notStarted: countOf(counts.notStarted) - countOf(notStartedOptedOut) - countOf(notStartedIncomplete),
    needsReply: countOf(counts.needsReply) - countOf(needsReplyOptedOut) - countOf(needsReplyIncomplete),
  };
}

function countOf(counted: Counted | undefined): number {
  return Number(counted?.[0]?.count ?? 0);
}
