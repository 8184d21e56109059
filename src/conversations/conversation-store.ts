import { Types, type mongo } from 'mongoose';
import type { AssigneeCount, ConversationRange, ConversationStore } from './ports.ts';
import { momentsAfter, RangePages, sameMomentAfter } from './range-pages.ts';
import { assigneeOf, isAssignee, toCandidate, waitsSince, type StoredConversation } from './stored.ts';
import { STATUSES, type Assignee, type Candidate, type Position, type Status } from '../domain/conversation.ts';
import { IN_ONE_BATCH, type Database } from '../mongo/database.ts';
import type { ConversationDoc } from '../mongo/documents.ts';
import { ASSIGNEE_INDEX, NO_OPT_OUT_INDEX, OPTED_OUT_INDEX } from '../mongo/indexes.ts';

type CandidateDoc = Pick<
  StoredConversation,
  '_id' | 'assigneeId' | 'status' | 'waitingSince' | 'optedOut' | 'createdAt'
>;

type StoredCount = { readonly [Field in keyof AssigneeCount]?: unknown };

const CANDIDATE_FIELDS = { assigneeId: 1, status: 1, waitingSince: 1, optedOut: 1, createdAt: 1 } as const;
const UNKNOWN_PAGE = 1_000;

export class MongoConversationStore implements ConversationStore {
  private readonly database: Database;
  private readonly pages: RangePages;

  constructor(database: Database) {
    this.database = database;
    this.pages = new RangePages(database);
  }

  readPage(range: ConversationRange, after: Position | null, limit: number, operationId: string): Promise<Candidate[]> {
    return this.pages.read(range, after, limit, operationId, 'in-order');
  }

  readPageBefore(
    range: ConversationRange,
    before: Position | null,
    limit: number,
    operationId: string,
  ): Promise<Candidate[]> {
    return this.pages.read(range, before, limit, operationId, 'from-end');
  }

  async readUnknown(campaignId: string, assignees: readonly Assignee[], page: number): Promise<Candidate[]> {
    const range = { skip: page * UNKNOWN_PAGE, limit: UNKNOWN_PAGE, batchSize: UNKNOWN_PAGE + 1 };
    const options = { ...range, projection: CANDIDATE_FIELDS, hint: ASSIGNEE_INDEX };
    const filters = unknownStatuses(campaignId, assignees);
    const found = filters.map((filter) => this.database.conversations.find<CandidateDoc>(filter, options).toArray());
    return (await Promise.all(found)).flat().map(asCandidate);
  }

  async countUnknown(campaignId: string, assignees: readonly Assignee[]): Promise<number> {
    const filters = unknownStatuses(campaignId, assignees);
    const options = { hint: ASSIGNEE_INDEX };
    const counts = await Promise.all(
      filters.map((filter) => this.database.conversations.countDocuments(filter, options)),
    );
    return counts.reduce((sum, count) => sum + count, 0);
  }

  async findOne(campaignId: string, conversationId: string): Promise<Candidate | undefined> {
    const filter = { _id: new Types.ObjectId(conversationId), campaignId };
    const found = this.database.models.conversations.findOne(filter, CANDIDATE_FIELDS);
    const doc = await found.lean<CandidateDoc>();
    return doc ? asCandidate(doc) : undefined;
  }

  async findMany(campaignId: string, conversationIds: readonly string[]): Promise<Candidate[]> {
    const filter = { _id: { $in: conversationIds.map((id) => new Types.ObjectId(id)) }, campaignId };
    const options = { projection: CANDIDATE_FIELDS, batchSize: conversationIds.length + 1 };
    return (await this.database.conversations.find<CandidateDoc>(filter, options).toArray()).map(asCandidate);
  }

  async listAssignees(campaignId: string, among?: readonly string[]): Promise<string[]> {
    const filter = { campaignId, assigneeId: among ? { $in: [...among] } : { $gt: '' } };
    const groups = [{ $match: filter }, { $group: { _id: '$assigneeId' } }];
    const options = { hint: ASSIGNEE_INDEX, ...IN_ONE_BATCH };
    const found = await this.database.conversations.aggregate<{ _id: string }>(groups, options).toArray();
    return found.map(({ _id }) => _id).sort();
  }

  async count(
    campaignId: string,
    assignees: readonly Assignee[],
    statuses: readonly Status[],
    limit?: number,
  ): Promise<number> {
    const filter = { campaignId, assigneeId: { $in: [...assignees] }, status: { $in: [...statuses] } };
    return this.database.models.conversations.countDocuments(filter, limit === undefined ? {} : { limit });
  }

  async countNotMoved(
    campaignId: string,
    assignees: readonly Assignee[],
    statuses: readonly Status[],
    operationId: string,
  ): Promise<number> {
    const inStatuses = statuses.length < STATUSES.length ? { status: { $in: [...statuses] } } : {};
    const filter = { campaignId, assigneeId: { $in: [...assignees] }, ...inStatuses };
    return this.database.models.conversations.countDocuments({
      ...filter,
      'history.operationId': { $ne: operationId },
    });
  }

  async countAfter(campaignId: string, assignees: readonly Assignee[], after: Position): Promise<number> {
    const filter = { campaignId, assigneeId: { $in: [...assignees] }, status: after.status };
    const filters = [
      { ...filter, ...sameMomentAfter(after) },
      { ...filter, ...momentsAfter(after) },
    ];
    const counts = await Promise.all(filters.map((each) => this.database.conversations.countDocuments(each)));
    return counts.reduce((sum, count) => sum + count, 0);
  }

  async countByAssignee(
    campaignId: string,
    some?: { readonly assignees: readonly Assignee[]; readonly statuses: readonly Status[] },
  ): Promise<AssigneeCount[]> {
    const filter = some && { ...among(some.assignees), status: { $in: [...some.statuses] } };
    return this.countGroups({ campaignId, ...filter }, ASSIGNEE_INDEX);
  }

  async countOptedOut(campaignId: string, assignees?: readonly Assignee[]): Promise<AssigneeCount[]> {
    return this.countGroups({ campaignId, ...among(assignees), optedOut: true }, OPTED_OUT_INDEX);
  }

  async countWithoutOptOut(campaignId: string, assignees?: readonly Assignee[]): Promise<AssigneeCount[]> {
    return this.countGroups({ campaignId, ...among(assignees), optedOut: null }, NO_OPT_OUT_INDEX);
  }

  private async countGroups(filter: mongo.Document, hint: string): Promise<AssigneeCount[]> {
    const groups = [
      { $match: filter },
      { $group: { _id: { assigneeId: '$assigneeId', status: '$status' }, count: { $sum: 1 } } },
      { $project: { _id: 0, assigneeId: '$_id.assigneeId', status: '$_id.status', count: 1 } },
    ];
    const counts = await this.database.conversations.aggregate<StoredCount>(groups, { hint }).toArray();
    return counts.map(({ assigneeId = null, status = null, count }) => {
      // Nothing reaches such conversations, so they count with the incomplete ones of the pool.
      const key = isAssignee(assigneeId) ? { assigneeId, status } : { assigneeId: null, status: null };
      return { ...key, count: Number(count) } as AssigneeCount;
    });
  }
}

function among(assignees: readonly Assignee[] | undefined): mongo.Document {
  return assignees ? { assigneeId: { $in: [...assignees] } } : {};
}

/** An incomplete candidate keeps the status that is stored. Nothing but a skip is made of it. */
function asCandidate(doc: CandidateDoc): Candidate {
  return toCandidate(doc, waitsSince(doc), { assigneeId: assigneeOf(doc), status: doc.status as Status });
}

/**
 * Matches no status, and every status between and beside the known ones. Each filter is one range of the index for each
 * assignee; `$nin` is not on every server.
 */
function unknownStatuses(campaignId: string, assignees: readonly Assignee[]): mongo.Filter<ConversationDoc>[] {
  const known = STATUSES.toSorted();
  const between = known.slice(1).map((status, index) => ({ $gt: known[index], $lt: status }));
  const gaps = [null, { $gte: -Infinity }, { $lt: known[0] }, ...between, { $gt: known.at(-1) }];
  const assigneeId = { $in: [...assignees] };
  return gaps.map((status) => ({ campaignId, assigneeId, status }) as unknown as mongo.Filter<ConversationDoc>);
}
