import { Types, type mongo } from 'mongoose';
import { fenceActive } from '../campaigns/index.ts';
import {
  asCandidate,
  assigneeOf,
  CANDIDATE_FIELDS,
  isComplete,
  movesUpdate,
  moveUpdate,
  NOT_MOVED,
  SINCE_LAST_MOVE_FIELDS,
  sinceLastMove,
  UNCHANGED,
  type CandidateDoc,
  type StoredConversation,
} from '../conversations/index.ts';
import { STATUSES, type Assignee, type Candidate, type Status } from '../domain/conversation.ts';
import { IN_ONE_BATCH, type Database } from '../mongo/database.ts';
import { BY_ID } from '../mongo/indexes.ts';
import { objectIds, type CampaignDoc, type ConversationDoc, type TexterDoc } from '../mongo/documents.ts';
import { storedFields, storedText } from '../mongo/stored-values.ts';
import { isAssignedTo, statementsOf, valueOfEach, type OneMove } from './move-statements.ts';
import type { Move } from './moves.ts';
import { isOne, type OperationRequest } from './contract.ts';
import type { Found, UndoneMove, WriteGuard } from './evaluate.ts';

interface CampaignAndTexters extends Pick<CampaignDoc, 'closed'> {
  readonly active: readonly Pick<TexterDoc, 'texterId'>[];
}

/** The move of a conversation that has not been read. `from` matches the assignees from which it moves. */
export interface FoundMove {
  readonly conversationId: string;
  readonly from: mongo.Condition<ConversationDoc['assigneeId']>;
  readonly to: Assignee;
}

/** Reads and writes the conversations and targets of moves, within the transaction of a part. */
export class MoveWriter {
  private readonly database: Database;
  private readonly request: OperationRequest;
  private readonly guard: WriteGuard;

  constructor(database: Database, request: OperationRequest, guard: WriteGuard) {
    this.database = database;
    this.request = request;
    this.guard = guard;
  }

  /** Reads whether the campaign is closed, and which of these texters are active, in one query. */
  async readTargets(
    texterIds: readonly string[],
    session?: mongo.ClientSession,
  ): Promise<{ readonly isClosed: boolean; readonly active: readonly string[] }> {
    const { campaignId } = this.request;
    const active = [
      { $match: { campaignId, texterId: { $in: texterIds }, active: true } },
      { $project: { _id: 0, texterId: 1 } },
    ];
    const found = this.database.campaigns.aggregate<CampaignAndTexters>(
      [
        { $match: { _id: campaignId } },
        { $project: { _id: 0, closed: 1 } },
        { $lookup: { from: this.database.texters.collectionName, pipeline: active, as: 'active' } },
      ],
      { ...within(session), ...IN_ONE_BATCH },
    );
    const [campaign] = await found.toArray();
    return { isClosed: campaign?.closed === true, active: campaign?.active.map(({ texterId }) => texterId) ?? [] };
  }

  /** Writes each group of moves under its guards. Returns the number of conversations that moved. */
  async write(moves: readonly Move[], at: Date, session: mongo.ClientSession): Promise<number> {
    if (moves.length === 0) return 0;
    const { modifiedCount } = await this.database.conversations.bulkWrite(this.updatesOf(moves, at), { session });
    const targets = moves.flatMap(({ to }) => to ?? []);
    // A pause finds the batches of bulk operations by the campaign lock, which a single move does not have.
    if (isOne(this.request)) await fenceActive(this.database, this.request.campaignId, targets, session);
    return modifiedCount;
  }

  /** Moves a conversation, and returns it as it was. Returns `undefined` when it does not exist or a guard does not hold. */
  async moveFound(
    { conversationId, from, to }: FoundMove,
    at: Date,
    session: mongo.ClientSession,
  ): Promise<Candidate | undefined> {
    const found: CandidateDoc | null = await this.database.conversations.findOneAndUpdate(
      { _id: new Types.ObjectId(conversationId), ...this.guards(to), assigneeId: from },
      movesUpdate({ ...this.literals(at), to: { $literal: to } }),
      { session, returnDocument: 'before', projection: CANDIDATE_FIELDS },
    );
    return found ? asCandidate(found) : undefined;
  }

  /** The statements that write moves. Their guards check the statuses of the plan, not those of each group. */
  updatesOf(moves: readonly Move[], at: Date): mongo.AnyBulkWriteOperation<ConversationDoc>[] {
    const { alike, mixed } = statementsOf(moves);
    return [
      ...alike.map((same) => ({ filter: this.guardedAlike(same), update: this.update(same[0], at) })),
      ...mixed.map((some) => this.mixedUpdate(some, at)),
    ].map((update) => ({ updateMany: { ...update, hint: BY_ID } }));
  }

  private guardedAlike(moves: readonly [Move, ...Move[]]): mongo.Filter<ConversationDoc> {
    const [{ from, to }] = moves;
    const ids = moves.flatMap(({ conversationIds }) => objectIds(conversationIds));
    const filter = { ...this.guarded(ids, to), assigneeId: from };
    // A list would match if one of its items does, and an undo has not read the conversations.
    return this.guard.lastMovedBy === null ? filter : withExpression(filter, isAssignedTo({ $literal: from }));
  }

  /** Writes moves between different assignees with one statement. It finds the assignees of each move by its id. */
  private mixedUpdate(moves: readonly OneMove[], at: Date) {
    const ids = moves.map(({ id }) => id);
    const to = moves.map((move) => move.to);
    const froms = valueOfEach(
      ids,
      moves.map(({ from }) => from),
    );
    return {
      filter: withExpression(this.guarded(ids, to[0] ?? null), isAssignedTo(froms)),
      update: movesUpdate({ ...this.literals(at), to: valueOfEach(ids, to) }),
    };
  }

  private literals(at: Date) {
    const { operationId, actorId } = this.request;
    return { operationId: { $literal: operationId }, at, by: { $literal: actorId ?? null } };
  }

  private guarded(ids: readonly Types.ObjectId[], to: Assignee): mongo.Filter<ConversationDoc> {
    return { _id: { $in: [...ids] }, ...this.guards(to) };
  }

  /** Every condition that the plan relied on but the assignee, checked again in the write itself. */
  private guards(to: Assignee): mongo.Filter<ConversationDoc> {
    const { statuses, lastMovedBy } = this.guard;
    return {
      campaignId: this.request.campaignId,
      'history.operationId': { $ne: this.request.operationId },
      ...(statuses.length < STATUSES.length && { status: { $in: [...statuses] } }),
      ...(lastMovedBy !== null && { status: { $in: [...STATUSES] }, ...lastMovedAs(lastMovedBy) }),
      ...(to !== null && { optedOut: false }),
    };
  }

  private update({ from, to }: Move, at: Date): mongo.Document[] {
    const { operationId, actorId } = this.request;
    return moveUpdate({ operationId, from, to, at, by: actorId ?? null });
  }

  async find(moves: readonly Move[], session?: mongo.ClientSession): Promise<Map<string, Found>> {
    const ids = objectIds(moves.flatMap((move) => move.conversationIds));
    const filter = { _id: { $in: ids }, campaignId: this.request.campaignId };
    const isUndo = this.guard.lastMovedBy !== null;
    const fields = { assigneeId: 1, status: 1, optedOut: 1, lastOperationId: 1, 'history.operationId': 1 };
    const projection = isUndo ? { ...fields, ...SINCE_LAST_MOVE_FIELDS } : fields;
    const options = { ...within(session), projection, batchSize: ids.length + 1, hint: BY_ID };
    const found = this.database.conversations.find<StoredConversation>(filter, options);
    return new Map((await found.toArray()).map((doc) => [doc._id.toHexString(), this.toFound(doc)]));
  }

  private toFound(doc: StoredConversation): Found {
    const { status, optedOut, lastOperationId } = doc;
    const history: readonly unknown[] = Array.isArray(doc.history) ? doc.history : [];
    return {
      id: doc._id.toHexString(),
      assigneeId: assigneeOf(doc),
      // Nothing but a skip is made of an incomplete conversation.
      status: status as Status,
      optedOut: optedOut === true,
      isIncomplete: !isComplete(doc),
      isMovedBefore: history.some((move) => storedFields(move)['operationId'] === this.request.operationId),
      lastOperationId: storedText(lastOperationId),
      ...(this.guard.lastMovedBy !== null && { sinceLastMove: sinceLastMove(doc) }),
    };
  }
}

/**
 * Matches a complete conversation while the undone move is its last one, and while nobody has worked on it since. The
 * expressions are there for lists: in an expression, a list is not equal to one of its items; in a filter it is.
 */
function lastMovedAs({ operationId, includeWorkedOn }: UndoneMove): mongo.Filter<ConversationDoc> {
  const isLast = { $eq: ['$lastOperationId', { $literal: operationId }] };
  const saysOptOut = { $in: ['$optedOut', [false, true]] };
  const filter = { lastOperationId: operationId, ...(includeWorkedOn ? NOT_MOVED : UNCHANGED) };
  return withExpression(filter, { $and: [isLast, saysOptOut] });
}

/** Adds an expression to a filter, which may have one already. */
function withExpression(
  { $and = [], ...filter }: mongo.Filter<ConversationDoc>,
  expression: mongo.Document,
): mongo.Filter<ConversationDoc> {
  return { ...filter, $and: [...$and, { $expr: expression }] };
}

function within(session: mongo.ClientSession | undefined): { session?: mongo.ClientSession } {
  return session ? { session } : {};
}
