import { Types } from 'mongoose';
import { MongoConversationCounts, unknownStatuses } from './count-store.ts';
import type { ConversationCounts, ConversationRange, ConversationStore } from './ports.ts';
import { RangePages } from './range-pages.ts';
import { toCandidate, waitsSince, type StoredConversation } from './stored.ts';
import type { Assignee, Candidate, Position, Status } from '../domain/conversation.ts';
import { IN_ONE_BATCH, type Database } from '../mongo/database.ts';
import { ASSIGNEE_INDEX, BY_ID } from '../mongo/indexes.ts';

type CandidateDoc = Pick<
  StoredConversation,
  '_id' | 'assigneeId' | 'status' | 'waitingSince' | 'optedOut' | 'createdAt'
>;

const CANDIDATE_FIELDS = { assigneeId: 1, status: 1, waitingSince: 1, optedOut: 1, createdAt: 1 } as const;
const UNKNOWN_PAGE = 1_000;

export class MongoConversationStore extends MongoConversationCounts implements ConversationStore {
  private readonly pages: RangePages;

  constructor(database: Database) {
    super(database);
    this.pages = new RangePages(database);
  }

  atOneMoment<Result>(read: (counts: ConversationCounts) => Promise<Result>): Promise<Result> {
    return this.database.atOneMoment((session) => read(new MongoConversationCounts(this.database, session)));
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

  async findOne(campaignId: string, conversationId: string): Promise<Candidate | undefined> {
    const filter = { _id: new Types.ObjectId(conversationId), campaignId };
    const found = this.database.models.conversations.findOne(filter, CANDIDATE_FIELDS);
    const doc = await found.lean<CandidateDoc>();
    return doc ? asCandidate(doc) : undefined;
  }

  async findMany(campaignId: string, conversationIds: readonly string[]): Promise<Candidate[]> {
    const filter = { _id: { $in: conversationIds.map((id) => new Types.ObjectId(id)) }, campaignId };
    const options = { projection: CANDIDATE_FIELDS, batchSize: conversationIds.length + 1, hint: BY_ID };
    return (await this.database.conversations.find<CandidateDoc>(filter, options).toArray()).map(asCandidate);
  }

  async listAssignees(campaignId: string, among?: readonly string[]): Promise<string[]> {
    const filter = { campaignId, assigneeId: among ? { $in: [...among] } : { $gt: '' } };
    const groups = [{ $match: filter }, { $group: { _id: '$assigneeId' } }];
    const options = { hint: ASSIGNEE_INDEX, ...IN_ONE_BATCH };
    const found = await this.database.conversations.aggregate<{ _id: string }>(groups, options).toArray();
    return found.map(({ _id }) => _id).sort();
  }
}

/** An incomplete candidate keeps the status that is stored. Nothing but a skip is made of it. */
function asCandidate(doc: CandidateDoc): Candidate {
  return toCandidate(doc, waitsSince(doc), { assigneeId: doc.assigneeId ?? null, status: doc.status as Status });
}
