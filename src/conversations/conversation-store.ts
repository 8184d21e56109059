import { Types, type QueryFilter } from 'mongoose';
import type { AssigneeCount, ConversationRange, ConversationStore } from './ports.ts';
import type { Assignee, Candidate, Position, Status } from '../domain/conversation.ts';
import type { Database } from '../mongo/database.ts';
import type { ConversationDoc } from '../mongo/documents.ts';
import { ASSIGNEE_INDEX, OPTED_OUT_INDEX, POOL_INDEX } from '../mongo/indexes.ts';

/** The fields that a range does not say already. A page can have thousands of documents, so nothing else is read. */
type PageDoc = Pick<ConversationDoc, '_id' | 'waitingSince' | 'optedOut'>;
type CandidateDoc = PageDoc & Pick<ConversationDoc, 'assigneeId' | 'status'>;

const PAGE_FIELDS = { waitingSince: 1, optedOut: 1 } as const;
const CANDIDATE_FIELDS = { ...PAGE_FIELDS, assigneeId: 1, status: 1 } as const;
const IN_ORDER = { waitingSince: 1, _id: 1 } as const;
const FROM_END = { waitingSince: -1, _id: -1 } as const;
type Direction = typeof IN_ORDER | typeof FROM_END;

export class MongoConversationStore implements ConversationStore {
  private readonly database: Database;

  constructor(database: Database) {
    this.database = database;
  }

  async readPage(
    range: ConversationRange,
    after: Position | null,
    limit: number,
    operationId: string,
  ): Promise<Candidate[]> {
    const docs = await this.readFrom(notMovedIn(range, operationId), after, limit, IN_ORDER);
    return docs.map((doc) => toCandidate(doc, range));
  }

  async readPageBefore(
    range: ConversationRange,
    before: Position | null,
    limit: number,
    operationId: string,
  ): Promise<Candidate[]> {
    const docs = await this.readFrom(notMovedIn(range, operationId), before, limit, FROM_END);
    return docs.map((doc) => toCandidate(doc, range));
  }

  async findOne(campaignId: string, conversationId: string): Promise<Candidate | undefined> {
    const filter = { _id: new Types.ObjectId(conversationId), campaignId };
    const found = this.database.models.conversations.findOne(filter, CANDIDATE_FIELDS);
    const doc = await found.lean<CandidateDoc>();
    return doc ? toCandidate(doc, doc) : undefined;
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
    const range = { campaignId, assigneeId: { $in: [...assignees] }, status: { $in: [...statuses] } };
    const filter = { ...range, 'history.operationId': { $ne: operationId } };
    return this.database.models.conversations.countDocuments(filter);
  }

  async countAfter(campaignId: string, assignees: readonly Assignee[], after: Position): Promise<number> {
    const filter = { campaignId, assigneeId: { $in: [...assignees] }, status: after.status };
    const filters = [
      { ...filter, ...sameMomentAfter(after) },
      { ...filter, waitingSince: { $gt: new Date(after.waitingSince) } },
    ];
    const counts = await Promise.all(filters.map((each) => this.database.models.conversations.countDocuments(each)));
    return counts.reduce((sum, count) => sum + count, 0);
  }

  async countByAssignee(campaignId: string): Promise<AssigneeCount[]> {
    return this.countGroups({ campaignId }, ASSIGNEE_INDEX);
  }

  async countOptedOut(campaignId: string): Promise<AssigneeCount[]> {
    return this.countGroups({ campaignId, optedOut: true }, OPTED_OUT_INDEX);
  }

  private async countGroups(filter: { campaignId: string; optedOut?: true }, hint: string): Promise<AssigneeCount[]> {
    const groups = [
      { $match: filter },
      { $group: { _id: { assigneeId: '$assigneeId', status: '$status' }, count: { $sum: 1 } } },
      { $project: { _id: 0, assigneeId: '$_id.assigneeId', status: '$_id.status', count: 1 } },
    ];
    return this.database.models.conversations.aggregate<AssigneeCount>(groups, { hint });
  }

  /**
   * Uses up to two queries: the conversations that have waited since the same moment as the position, then the others.
   * Each query is one range of the index; a single query with `$or` is not.
   */
  private async readFrom(
    filter: QueryFilter<ConversationDoc>,
    position: Position | null,
    limit: number,
    direction: Direction,
  ): Promise<PageDoc[]> {
    if (!position) return this.read(filter, limit, direction);
    const [sameMoment, otherMoments] =
      direction === IN_ORDER
        ? [sameMomentAfter(position), momentsAfter(position)]
        : [sameMomentBefore(position), momentsBefore(position)];
    const first = await this.read({ ...filter, ...sameMoment }, limit, direction);
    if (first.length === limit) return first;
    return [...first, ...(await this.read({ ...filter, ...otherMoments }, limit - first.length, direction))];
  }

  private async read(filter: QueryFilter<ConversationDoc>, limit: number, sort: Direction): Promise<PageDoc[]> {
    const found = this.database.models.conversations.find(filter, PAGE_FIELDS, {
      sort,
      limit,
      hint: filter.assigneeId === null ? POOL_INDEX : ASSIGNEE_INDEX,
      // The server answers in one batch, which saves a round trip for each further batch.
      batchSize: limit + 1,
    });
    return found.lean<PageDoc[]>();
  }
}

/** Matches the conversations that have waited exactly as long as the one at the position, and come after it by id. */
function sameMomentAfter({ waitingSince, id }: Position) {
  return { waitingSince: new Date(waitingSince), _id: { $gt: new Types.ObjectId(id) } };
}

function sameMomentBefore({ waitingSince, id }: Position) {
  return { waitingSince: new Date(waitingSince), _id: { $lt: new Types.ObjectId(id) } };
}

/*
 * Moments are whole milliseconds. A range that starts at the next millisecond leaves out all conversations of the same
 * moment; `$gt` and `$lt` would scan them.
 */

function momentsAfter({ waitingSince }: Position) {
  return { waitingSince: { $gte: new Date(waitingSince + 1) } };
}

function momentsBefore({ waitingSince }: Position) {
  return { waitingSince: { $lte: new Date(waitingSince - 1) } };
}

function notMovedIn({ campaignId, assigneeId, status }: ConversationRange, operationId: string) {
  return { campaignId, assigneeId, status, 'history.operationId': { $ne: operationId } };
}

function toCandidate(doc: PageDoc, { assigneeId, status }: Pick<Candidate, 'assigneeId' | 'status'>): Candidate {
  return {
    id: doc._id.toHexString(),
    assigneeId,
    status,
    waitingSince: doc.waitingSince.getTime(),
    optedOut: doc.optedOut,
  };
}
