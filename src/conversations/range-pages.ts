import { Types, type mongo } from 'mongoose';
import type { ConversationRange } from './ports.ts';
import { isAssignee, isTimed, toCandidate, waitsSince, type StoredConversation } from './stored.ts';
import {
  ANY_TIME,
  boundsOf,
  mergePlaces,
  moment,
  moments,
  NO_TIME,
  OTHER_TYPES,
  readUntimed,
  type Direction,
  type Place,
  type TimeFilter,
} from './untimed.ts';
import type { Candidate, Position } from '../domain/conversation.ts';
import type { Database } from '../mongo/database.ts';
import type { ConversationDoc } from '../mongo/documents.ts';
import { ASSIGNEE_INDEX, EVERYONE_INDEX, POOL_INDEX } from '../mongo/indexes.ts';

type Filter = mongo.Filter<ConversationDoc>;
/** The fields that a range does not say already. A page can have thousands of documents, so nothing else is read. */
type PageDoc = Pick<StoredConversation, '_id' | 'waitingSince' | 'optedOut' | 'assigneeId'>;

const PAGE_FIELDS = { waitingSince: 1, optedOut: 1 } as const;
const SORTS = { 'in-order': { waitingSince: 1, _id: 1 }, 'from-end': { waitingSince: -1, _id: -1 } } as const;

/** More than all running operations read. */
const TIMED_RANGES_KEPT_MAX = 10_000;

/** Reads pages of one range in the order of selection, or from its end. */
export class RangePages {
  private readonly database: Database;
  private readonly inMoment: () => mongo.FindOptions;
  /**
   * The ranges that had no untimed conversation when an operation first read them. Looking again before each page would cost
   * a tenth of a bulk operation. Those that come later are read in the next pass of the operation.
   */
  private readonly timedRanges = new Set<string>();

  /** `inMoment` returns the options of a read that sees one moment. */
  constructor(database: Database, inMoment: () => mongo.FindOptions) {
    this.database = database;
    this.inMoment = inMoment;
  }

  /** Returns the first `limit` conversations beyond a position that `operationId` has not moved. */
  async read(
    range: ConversationRange,
    position: Position | null,
    limit: number,
    operationId: string,
    direction: Direction,
  ): Promise<Candidate[]> {
    const filter = notMovedIn(range, operationId);
    if (!position && direction === 'in-order') {
      const page = await this.find(filter, limit, direction);
      // Untimed conversations come first in the index: a first page without one means the range has none.
      if (page.every(isTimed)) {
        this.noteTimed(range, operationId);
        return page.map((doc) => candidateOf(doc, waitsSince(doc), range));
      }
      this.timedRanges.delete(keyOf(range, operationId));
    }
    const [timed, hasUntimed] = await Promise.all([
      this.readTimed(filter, position, limit, direction),
      this.hasUntimed(range, operationId),
    ]);
    const untimed = hasUntimed ? await this.readUntimed(filter, position, limit, direction) : [];
    return mergePlaces([...timed, ...untimed], direction)
      .slice(0, limit)
      .map(({ doc, waitingSince }) => candidateOf(doc, waitingSince, range));
  }

  /**
   * Uses up to two queries: the conversations that have waited since the same moment as the position, then the others.
   * Each query is one range of the index; a single query with `$or` is not.
   */
  private async readTimed(
    filter: Filter,
    position: Position | null,
    limit: number,
    direction: Direction,
  ): Promise<Place<PageDoc>[]> {
    const [sameMoment, otherMoments] = !position
      ? [ANY_TIME, undefined]
      : direction === 'in-order'
        ? [sameMomentAfter(position), momentsAfter(position)]
        : [sameMomentBefore(position), momentsBefore(position)];
    const docs = await this.findTimed(filter, sameMoment, limit, direction);
    if (otherMoments && docs.length < limit) {
      docs.push(...(await this.findTimed(filter, otherMoments, limit - docs.length, direction)));
    }
    return docs.map((doc) => ({ doc, waitingSince: waitsSince(doc) }));
  }

  /**
   * The bounds alone also match lists and times that JavaScript cannot hold. Reading a page with the filter that excludes
   * them takes half as long again, so it is used only when a page has such a value.
   */
  private async findTimed(filter: Filter, times: TimeFilter, limit: number, direction: Direction): Promise<PageDoc[]> {
    const docs = await this.find({ ...filter, ...times, ...boundsOf(times, direction) }, limit, direction);
    return docs.every(isTimed) ? docs : this.find({ ...filter, ...times }, limit, direction);
  }

  private readUntimed(
    filter: Filter,
    position: Position | null,
    limit: number,
    direction: Direction,
  ): Promise<Place<PageDoc>[]> {
    const read = async (part: Filter, max: number): Promise<PageDoc[]> =>
      this.find({ ...filter, ...part }, max, direction, { ...PAGE_FIELDS, createdAt: 1 });
    return readUntimed(read, [NO_TIME, ...OTHER_TYPES], { position, limit, direction });
  }

  /** Reads the head of the range only. */
  private async hasUntimed(range: ConversationRange, operationId: string): Promise<boolean> {
    if (this.timedRanges.has(keyOf(range, operationId))) return false;
    const head = await this.find(allOf(range), 1, 'in-order');
    if (!head.every(isTimed)) return true;
    this.noteTimed(range, operationId);
    return false;
  }

  private noteTimed(range: ConversationRange, operationId: string): void {
    if (this.timedRanges.size >= TIMED_RANGES_KEPT_MAX) this.timedRanges.clear();
    this.timedRanges.add(keyOf(range, operationId));
  }

  private async find(
    filter: Filter,
    limit: number,
    direction: Direction,
    fields: Readonly<Record<string, 1>> = PAGE_FIELDS,
  ): Promise<PageDoc[]> {
    const { assigneeId } = filter;
    const found = this.database.conversations.find<PageDoc>(filter, {
      projection: assigneeId === undefined ? { ...fields, assigneeId: 1 } : fields,
      sort: SORTS[direction],
      limit,
      hint: assigneeId === undefined ? EVERYONE_INDEX : assigneeId === null ? POOL_INDEX : ASSIGNEE_INDEX,
      // The server answers in one batch, which saves a round trip for each further batch.
      batchSize: limit + 1,
      ...this.inMoment(),
    });
    return found.toArray();
  }
}

function keyOf({ campaignId, assigneeId, status }: ConversationRange, operationId: string): string {
  return JSON.stringify([operationId, campaignId, status, ...(assigneeId === undefined ? [] : [assigneeId])]);
}

/** No texter has an empty id, so a conversation of an unknown assignee is never among those of a source. */
const NO_SOURCE = '';

function candidateOf(doc: PageDoc, waitingSince: Date, { assigneeId, status }: ConversationRange): Candidate {
  if (assigneeId !== undefined) return toCandidate(doc, waitingSince, { assigneeId, status });
  const found = doc.assigneeId ?? null;
  return toCandidate(doc, waitingSince, { assigneeId: isAssignee(found) ? found : NO_SOURCE, status });
}

/** Matches the conversations that have waited exactly as long as the one at the position, and come after it by id. */
export function sameMomentAfter({ waitingSince, id }: Position) {
  return { ...moment(new Date(waitingSince)), _id: { $gt: new Types.ObjectId(id) } };
}

function sameMomentBefore({ waitingSince, id }: Position) {
  return { ...moment(new Date(waitingSince)), _id: { $lt: new Types.ObjectId(id) } };
}

/*
 * Moments are whole milliseconds. A range that starts at the next millisecond leaves out all conversations of the same
 * moment; `$gt` and `$lt` would scan them.
 */

export function momentsAfter({ waitingSince }: Pick<Position, 'waitingSince'>) {
  return moments({ from: new Date(waitingSince + 1) });
}

function momentsBefore({ waitingSince }: Position) {
  return moments({ to: new Date(waitingSince - 1) });
}

function allOf({ campaignId, assigneeId, status }: ConversationRange) {
  return { campaignId, ...(assigneeId !== undefined && { assigneeId }), status };
}

function notMovedIn(range: ConversationRange, operationId: string) {
  return { ...allOf(range), 'history.operationId': { $ne: operationId } };
}
