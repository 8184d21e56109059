import { Types, type mongo } from 'mongoose';
import { MongoConversationCounts, unknownStatuses } from './count-store.ts';
import { ASSIGNEES_OF_FILTER_MAX } from './range-reader.ts';
import type { AssigneeCount, ConversationRange, ConversationStore, Moment, OpenMoment } from './ports.ts';
import { RangePages } from './range-pages.ts';
import { assigneeOf, isAssignee, toCandidate, waitsSince, type StoredConversation } from './stored.ts';
import type { Assignee, Candidate, Position, Status } from '../domain/conversation.ts';
import { IN_ONE_BATCH, type Database } from '../mongo/database.ts';
import { ASSIGNEE_INDEX, BY_ID, EVERYONE_INDEX } from '../mongo/indexes.ts';

export type CandidateDoc = Pick<
  StoredConversation,
  '_id' | 'assigneeId' | 'status' | 'waitingSince' | 'optedOut' | 'createdAt'
>;

export const CANDIDATE_FIELDS = { assigneeId: 1, status: 1, waitingSince: 1, optedOut: 1, createdAt: 1 } as const;
const UNKNOWN_PAGE = 1_000;

export class MongoConversationStore extends MongoConversationCounts implements ConversationStore {
  /** When the reads began; with a session, all of them see this time. */
  readonly at: Date;
  private readonly pages: RangePages;

  /** With a session, every read sees the moment of the first one. Await that one before the others. */
  constructor(database: Database, session?: mongo.ClientSession) {
    super(database, session);
    this.at = database.now();
    this.pages = new RangePages(database, () => this.inMoment());
  }

  atOneMoment<Result>(read: (moment: Moment) => Promise<Result>): Promise<Result> {
    if (this.session) return read(this);
    return this.database.atOneMoment((session) => read(new MongoConversationStore(this.database, session)));
  }

  openMoment(): OpenMoment {
    const session = this.database.openMoment();
    return {
      moment: new MongoConversationStore(this.database, session),
      close: () => session.endSession(),
    };
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

  async readUnknown(
    campaignId: string,
    assignees: readonly Assignee[],
    page: number,
    operationId: string,
  ): Promise<Candidate[] | undefined> {
    const range = { skip: page * UNKNOWN_PAGE, limit: UNKNOWN_PAGE, batchSize: UNKNOWN_PAGE + 1 };
    // For many assignees, one range of the whole campaign costs less than a range for each. Few campaigns have such statuses.
    const isMany = assignees.length > ASSIGNEES_OF_FILTER_MAX;
    const filters = unknownStatuses(campaignId, isMany ? undefined : assignees).map((filter) => {
      return { ...filter, 'history.operationId': { $ne: operationId } };
    });
    const hint = isMany ? EVERYONE_INDEX : ASSIGNEE_INDEX;
    const options = { ...range, projection: CANDIDATE_FIELDS, hint, ...this.inMoment() };
    const found = filters.map((filter) => this.database.conversations.find<CandidateDoc>(filter, options).toArray());
    const docs = (await Promise.all(found)).flat();
    // A conversation whose assignee is not a text belongs to no texter, and not to the pool.
    return docs.length > 0 ? docs.filter((doc) => isAssignee(doc.assigneeId ?? null)).map(asCandidate) : undefined;
  }

  async findOne(campaignId: string, conversationId: string): Promise<Candidate | undefined> {
    const filter = { _id: new Types.ObjectId(conversationId), campaignId };
    const found = this.database.models.conversations.findOne(filter, CANDIDATE_FIELDS);
    const doc = await found.lean<CandidateDoc>();
    return doc ? asCandidate(doc) : undefined;
  }

  async findMany(campaignId: string, conversationIds: readonly string[]): Promise<Candidate[]> {
    const filter = { _id: { $in: conversationIds.map((id) => new Types.ObjectId(id)) }, campaignId };
    const size = { batchSize: conversationIds.length + 1 };
    const options = { projection: CANDIDATE_FIELDS, ...size, hint: BY_ID, ...this.inMoment() };
    return (await this.database.conversations.find<CandidateDoc>(filter, options).toArray()).map(asCandidate);
  }

  async listAssignees(campaignId: string, among?: readonly string[]): Promise<string[]> {
    // In a moment, the counts of the campaign are read anyway.
    if (this.session) return this.assigneesOf(await this.countByAssignee(campaignId), among);
    const filter = { campaignId, assigneeId: among ? { $in: [...among] } : { $gt: '' } };
    const groups = [{ $match: filter }, { $group: { _id: '$assigneeId' } }];
    const options = { hint: ASSIGNEE_INDEX, ...IN_ONE_BATCH };
    const found = await this.database.conversations.aggregate<{ _id: string }>(groups, options).toArray();
    return found.map(({ _id }) => _id).sort();
  }

  private assigneesOf(counts: readonly AssigneeCount[], among: readonly string[] | undefined): string[] {
    const found = new Set(counts.flatMap(({ assigneeId }) => assigneeId ?? []));
    return (among ?? [...found]).filter((assigneeId) => found.has(assigneeId)).sort();
  }
}

/** An incomplete candidate keeps the status that is stored. Nothing but a skip is made of it. */
export function asCandidate(doc: CandidateDoc): Candidate {
  return toCandidate(doc, waitsSince(doc), { assigneeId: assigneeOf(doc), status: doc.status as Status });
}
