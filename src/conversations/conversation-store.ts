import { Types, type mongo } from 'mongoose';
import type { ConversationStore, AssigneeCount, Range, RangeKey } from './ports.ts';
import type { Candidate, Assignee, Status } from '../domain/conversation.ts';
import type { Position } from '../domain/selection.ts';
import type { Database } from '../mongo/database.ts';
import type { ConversationDoc } from '../mongo/documents.ts';
import { ASSIGNEE_INDEX, POOL_INDEX } from '../mongo/indexes.ts';

type InRange = Pick<ConversationDoc, '_id' | 'waitingSince' | 'optedOut'>;
type CandidateDoc = InRange & Pick<ConversationDoc, 'assigneeId' | 'status'>;

/** A page's documents are as many as there are conversations to move: what the range says already is left out of them. */
const IN_RANGE = { waitingSince: 1, optedOut: 1 } as const;
const CANDIDATE = { ...IN_RANGE, assigneeId: 1, status: 1 } as const;
const IN_ORDER = { waitingSince: 1, _id: 1 } as const;

export class MongoConversationStore implements ConversationStore {
  private readonly database: Database;

  constructor(database: Database) {
    this.database = database;
  }

  /**
   * Two queries at the most: the rest of those waiting since the key's very moment, then the later ones. Each is one
   * unbroken range of the index, which a single query with `$or` is not.
   */
  async readPage(range: Range, after: RangeKey | null, limit: number, operationId: string): Promise<Candidate[]> {
    const docs = await this.readDocs(range, after, limit, operationId);
    return docs.map((doc) => toCandidate(doc, range));
  }

  private async readDocs(range: Range, after: RangeKey | null, limit: number, operationId: string): Promise<InRange[]> {
    const within = {
      campaignId: range.campaignId,
      assigneeId: range.assigneeId,
      status: range.status,
      'history.operationId': { $ne: operationId },
    };
    if (!after) return this.read(within, limit);
    const since = new Date(after.waitingSince);
    const ties = await this.read({ ...within, waitingSince: since, _id: { $gt: new Types.ObjectId(after.id) } }, limit);
    if (ties.length === limit) return ties;
    // Moments are whole milliseconds: "from the next one on" is "later", and begins the range behind all the ties.
    const later = new Date(after.waitingSince + 1);
    return [...ties, ...(await this.read({ ...within, waitingSince: { $gte: later } }, limit - ties.length))];
  }

  async findOne(campaignId: string, conversationId: string): Promise<Candidate | undefined> {
    const filter = { _id: new Types.ObjectId(conversationId), campaignId };
    const doc = await this.database.conversations.findOne<CandidateDoc>(filter, { projection: CANDIDATE });
    return doc ? toCandidate(doc, { assigneeId: doc.assigneeId, status: doc.status }) : undefined;
  }

  async count(
    campaignId: string,
    assignees: readonly Assignee[],
    statuses: readonly Status[],
    limit?: number,
  ): Promise<number> {
    const filter = { campaignId, assigneeId: { $in: [...assignees] }, status: { $in: [...statuses] } };
    return this.database.conversations.countDocuments(filter, limit === undefined ? {} : { limit });
  }

  async countAfter(campaignId: string, assignees: readonly Assignee[], after: Position): Promise<number> {
    const within = { campaignId, assigneeId: { $in: [...assignees] }, status: after.status };
    const since = new Date(after.waitingSince);
    const ties = { ...within, waitingSince: since, _id: { $gt: new Types.ObjectId(after.id) } };
    const later = { ...within, waitingSince: { $gt: since } };
    const counts = [ties, later].map((filter) => this.database.conversations.countDocuments(filter));
    return (await Promise.all(counts)).reduce((sum, count) => sum + count, 0);
  }

  async countByAssignee(campaignId: string): Promise<AssigneeCount[]> {
    const counted = this.database.conversations.aggregate<AssigneeCount>([
      { $match: { campaignId } },
      { $group: { _id: { assigneeId: '$assigneeId', status: '$status' }, count: { $sum: 1 } } },
      { $project: { _id: 0, assigneeId: '$_id.assigneeId', status: '$_id.status', count: 1 } },
    ]);
    return counted.toArray();
  }

  private async read(filter: mongo.Filter<ConversationDoc>, limit: number): Promise<InRange[]> {
    const found = this.database.conversations.find<InRange>(filter, {
      projection: IN_RANGE,
      sort: IN_ORDER,
      limit,
      hint: filter.assigneeId === null ? POOL_INDEX : ASSIGNEE_INDEX,
      // One answer: a page must not come as a first hundred and a rest.
      batchSize: limit + 1,
    });
    return found.toArray();
  }
}

function toCandidate(doc: InRange, { assigneeId, status }: Pick<Candidate, 'assigneeId' | 'status'>): Candidate {
  return {
    id: doc._id.toHexString(),
    assigneeId,
    status,
    waitingSince: doc.waitingSince.getTime(),
    optedOut: doc.optedOut,
  };
}
