import type { mongo } from 'mongoose';
import type { Status } from '../domain/conversation.ts';
import { IN_ONE_BATCH, type Database } from '../mongo/database.ts';
import type { TexterDoc } from '../mongo/documents.ts';
import { atAnyMoment } from '../mongo/transaction.ts';
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
function countAssigned(
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

interface LoadsQuery {
  readonly campaignId: string;
  readonly texterIds: readonly string[];
  /** Only on request, because most campaigns have no rule about replies. */
  readonly countReplies: boolean;
}

/** The stages of a query on texters that returns those of the campaign with their counts. */
export function loadsOf(database: Database, { campaignId, texterIds, countReplies }: LoadsQuery): mongo.Document[] {
  return [
    { $match: { campaignId, texterId: { $in: [...texterIds] } } },
    { $project: { _id: 0, texterId: 1, active: 1 } },
    ...countAssigned(database, campaignId, 'notStarted'),
    ...(countReplies ? countAssigned(database, campaignId, 'needsReply') : []),
  ];
}

/** Returns the loads of those texters that are on the campaign. */
export async function readLoads(
  database: Database,
  query: LoadsQuery,
  session?: mongo.ClientSession,
): Promise<ReadonlyMap<string, TexterLoad>> {
  if (query.texterIds.length === 0) return new Map();
  const options = { ...(session && { session }), ...IN_ONE_BATCH };
  return loadsById(await database.texters.aggregate<CountedTexter>(loadsOf(database, query), options).toArray());
}

/** Returns the loads of texters at one moment; nothing when the campaign allows no claims. */
export async function readLimitedLoads(
  database: Database,
  campaignId: string,
  texterIds: readonly string[],
): Promise<ReadonlyMap<string, TexterLoad>> {
  const loads = loadsOf(database, { campaignId, texterIds, countReplies: true });
  const pipeline = [
    { $match: { _id: campaignId, 'selfAssign.enabled': true } },
    { $project: { _id: 1 } },
    { $lookup: { from: database.texters.collectionName, pipeline: loads, as: 'texters' } },
  ];
  const [campaign] = await atAnyMoment(() => {
    const options = { ...IN_ONE_BATCH, readConcern: { level: 'snapshot' } } as const;
    return database.campaigns.aggregate<{ texters: CountedTexter[] }>(pipeline, options).toArray();
  });
  return loadsById(campaign?.texters ?? []);
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
