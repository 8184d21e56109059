import type { mongo } from 'mongoose';
import type { AssigneeCount, ConversationCounts } from './ports.ts';
import { momentsAfter, sameMomentAfter } from './range-pages.ts';
import { ASSIGNEES_OF_FILTER_MAX, withConversations } from './range-reader.ts';
import { isAssignee } from './stored.ts';
import { STATUSES, type Assignee, type Position, type Status } from '../domain/conversation.ts';
import { IN_ONE_BATCH, type Database } from '../mongo/database.ts';
import type { ConversationDoc } from '../mongo/documents.ts';
import { sumOf } from '../domain/receipt.ts';
import { atAnyMoment } from '../mongo/transaction.ts';
import { ASSIGNEE_INDEX, NO_OPT_OUT_INDEX, OPTED_OUT_INDEX } from '../mongo/indexes.ts';

type StoredCount = { readonly [Field in keyof AssigneeCount]?: unknown };

interface CountOptions {
  readonly hint?: string;
  readonly limit?: number;
}

/**
 * Counts conversations. Each count sees one moment: a scan that sees several can miss or count twice a conversation that
 * moves meanwhile. With a session, all reads see the moment of the first one, so the counts of a whole campaign are kept.
 */
export class MongoConversationCounts implements ConversationCounts {
  protected readonly database: Database;
  protected readonly session: mongo.ClientSession | undefined;
  /** The counts of whole campaigns at the moment of the session, by campaign and index. */
  private readonly known = new Map<string, Promise<readonly AssigneeCount[]>>();

  constructor(database: Database, session?: mongo.ClientSession) {
    this.database = database;
    this.session = session;
  }

  async countUnknown(campaignId: string, assignees: readonly Assignee[]): Promise<number> {
    return this.sumUp(unknownStatuses(campaignId, assignees), { hint: ASSIGNEE_INDEX });
  }

  async count(
    campaignId: string,
    assignees: readonly Assignee[],
    statuses: readonly Status[],
    limit?: number,
  ): Promise<number> {
    if (limit === undefined) return sumOf(await this.countByAssignee(campaignId, { assignees, statuses }));
    const filter = { campaignId, assigneeId: { $in: [...assignees] }, status: { $in: [...statuses] } };
    return this.countDocuments(filter, { limit });
  }

  async countNotMoved(
    campaignId: string,
    assignees: readonly Assignee[],
    statuses: readonly Status[],
    operationId: string,
  ): Promise<number> {
    const ofSome = { campaignId, ...inStatuses(statuses), 'history.operationId': { $ne: operationId } };
    if (assignees.length <= ASSIGNEES_OF_FILTER_MAX) return this.countDocuments({ ...ofSome, ...among(assignees) });
    return this.inOneMoment(async (counts) => {
      const isIn = (status: Status): boolean => statuses.length === STATUSES.length || statuses.includes(status);
      const some = withConversations(assignees, await counts.countByAssignee(campaignId), isIn);
      return some.length > 0 ? counts.countDocuments({ ...ofSome, ...among(some) }) : 0;
    });
  }

  async countAfter(campaignId: string, assignees: readonly Assignee[], after: Position): Promise<number> {
    const filter = { campaignId, assigneeId: { $in: [...assignees] }, status: after.status };
    const filters = [
      { ...filter, ...sameMomentAfter(after) },
      { ...filter, ...momentsAfter(after) },
    ];
    return this.sumUp(filters);
  }

  async countByAssignee(
    campaignId: string,
    some?: { readonly assignees: readonly Assignee[]; readonly statuses: readonly Status[] },
  ): Promise<AssigneeCount[]> {
    const { assignees, statuses } = some ?? {};
    const status = statuses && { status: { $in: [...statuses] } };
    const counts = await this.countAmong({ campaignId }, ASSIGNEE_INDEX, assignees, status);
    return statuses ? counts.filter((each) => statuses.includes(each.status)) : counts;
  }

  async countOptedOut(campaignId: string, assignees?: readonly Assignee[]): Promise<AssigneeCount[]> {
    return this.countAmong({ campaignId, optedOut: true }, OPTED_OUT_INDEX, assignees);
  }

  async countWithoutOptOut(campaignId: string, assignees?: readonly Assignee[]): Promise<AssigneeCount[]> {
    return this.countAmong({ campaignId, optedOut: null }, NO_OPT_OUT_INDEX, assignees);
  }

  /** Counts a whole campaign, as one range, when its counts are known, and for many assignees. `further` may be left out. */
  private async countAmong(
    filter: mongo.Document & { readonly campaignId: string },
    hint: string,
    assignees: readonly Assignee[] | undefined,
    further: mongo.Document = {},
  ): Promise<AssigneeCount[]> {
    const isFew = assignees && assignees.length <= ASSIGNEES_OF_FILTER_MAX;
    if (isFew && !this.known.has(keyOf(filter.campaignId, hint))) {
      return this.countGroups({ ...filter, ...among(assignees), ...further }, hint);
    }
    const counts = await this.countWhole(filter, hint);
    const wanted = new Set(assignees);
    return counts.filter(({ assigneeId }) => !assignees || wanted.has(assigneeId));
  }

  private countWhole(
    filter: mongo.Document & { readonly campaignId: string },
    hint: string,
  ): Promise<readonly AssigneeCount[]> {
    const key = keyOf(filter.campaignId, hint);
    const found = this.known.get(key) ?? this.countGroups(filter, hint);
    if (this.session) this.known.set(key, found);
    return found;
  }

  private async countGroups(filter: mongo.Document, hint: string): Promise<AssigneeCount[]> {
    const groups = [
      { $match: filter },
      { $group: { _id: { assigneeId: '$assigneeId', status: '$status' }, count: { $sum: 1 } } },
      { $project: { _id: 0, assigneeId: '$_id.assigneeId', status: '$_id.status', count: 1 } },
    ];
    const counts = await this.read(() =>
      this.database.conversations
        .aggregate<StoredCount>(groups, { ...this.snapshot({ hint }), ...IN_ONE_BATCH })
        .toArray(),
    );
    return counts.map(({ assigneeId = null, status = null, count }) => {
      // Nothing reaches such conversations, so they count with the incomplete ones of the pool.
      const key = isAssignee(assigneeId) ? { assigneeId, status } : { assigneeId: null, status: null };
      return { ...key, count: Number(count) } as AssigneeCount;
    });
  }

  private inOneMoment<Result>(count: (counts: MongoConversationCounts) => Promise<Result>): Promise<Result> {
    if (this.session) return count(this);
    return this.database.atOneMoment((session) => count(new MongoConversationCounts(this.database, session)));
  }

  private async sumUp(filters: readonly mongo.Filter<ConversationDoc>[], options: CountOptions = {}): Promise<number> {
    let sum = 0;
    // One after the other: the first command of a session chooses the moment.
    for (const filter of filters) sum += await this.countDocuments(filter, options);
    return sum;
  }

  private countDocuments(filter: mongo.Filter<ConversationDoc>, options: CountOptions = {}): Promise<number> {
    return this.read(() => this.database.conversations.countDocuments(filter, this.snapshot(options)));
  }

  /** Counts that share a moment are repeated together. */
  private read<Result>(count: () => Promise<Result>): Promise<Result> {
    return this.session ? count() : atAnyMoment(count);
  }

  /** The options of a read that sees the moment of the session, if there is one. */
  protected inMoment(): mongo.AggregateOptions {
    return this.session ? this.snapshot({}) : {};
  }

  /**
   * The driver ignores the session's own read concern when the client has another one, and it writes into the object that
   * it is given. Therefore each call gets a new object.
   */
  private snapshot(options: CountOptions): mongo.AggregateOptions {
    const session = this.session && { session: this.session };
    return { ...options, ...session, readConcern: { level: 'snapshot' } };
  }
}

function keyOf(campaignId: string, hint: string): string {
  return `${hint} ${campaignId}`;
}

/** All statuses include unknown ones. */
function inStatuses(statuses: readonly Status[]): mongo.Document {
  return statuses.length < STATUSES.length ? { status: { $in: [...statuses] } } : {};
}

function among(assignees: readonly Assignee[]): mongo.Document {
  return { assigneeId: { $in: [...assignees] } };
}

/**
 * Filters for conversations whose status is missing or unknown: one for each gap between the known statuses, because not every
 * server has `$nin`. Each filter is one range of an index, or with `assignees` one range for each of them.
 */
export function unknownStatuses(campaignId: string, assignees?: readonly Assignee[]): mongo.Filter<ConversationDoc>[] {
  const known = STATUSES.toSorted();
  const between = known.slice(1).map((status, index) => ({ $gt: known[index], $lt: status }));
  const gaps = [null, { $gte: -Infinity }, { $lt: known[0] }, ...between, { $gt: known.at(-1) }];
  const ofSome = assignees && among(assignees);
  return gaps.map((status) => ({ campaignId, ...ofSome, status }) as unknown as mongo.Filter<ConversationDoc>);
}
