import type { mongo } from 'mongoose';
import { ANY_TIME, isTimed, mergePlaces, NO_TIME, OTHER_TYPES, readUntimed } from '../conversations/index.ts';
import { CLAIMED_STATUS } from '../domain/conversation.ts';
import { UNAPPLIED_MAX } from '../domain/in-flight.ts';
import { IN_ONE_BATCH, type Database } from '../mongo/database.ts';
import { batchIdsOf, CLAIMABLE, type BatchDoc, type ConversationDoc, type OperationDoc } from '../mongo/documents.ts';
import { CLAIMABLE_INDEX } from '../mongo/indexes.ts';
import type { Pool } from './claim.ts';
import { behindOf, boundOf, later, upTo, type Bound } from './pool-bounds.ts';

type Place = Pick<ConversationDoc, 'waitingSince' | '_id' | 'createdAt'>;
/** The fields of a bulk operation that say which conversations it takes. */
export type PoolOperation = Pick<OperationDoc, '_id'> & {
  readonly plan: Pick<NonNullable<OperationDoc['plan']>, 'sources' | 'statuses'> | null;
};

/** The part of the pool that the running bulk operation has planned or read. */
interface Planned {
  readonly operationId: string;
  /** Every conversation up to here has been planned or left out. */
  readonly plannedTo: Bound;
  /** The operation has read the conversations up to here, and plans them next. */
  readonly readTo: Bound;
}

/** Reads the conversations that claims can receive: those that no running operation has planned, longest waiting first. */
export class PoolReader {
  private readonly database: Database;
  private readonly session: mongo.ClientSession;
  private readonly campaignId: string;
  private readonly skip: number;
  private planned: Promise<Planned> | undefined;
  private running: PoolOperation | undefined;
  /** The first conversations of the pool, read outside of the transaction. */
  private head: Promise<readonly Place[]> | undefined;
  private headLimit = 0;
  /** The result of the last read, until conversations are assigned. */
  private known: { readonly limit: number; readonly pool: Pool } | undefined;

  /** The first `skip` conversations are used last, because other transactions are writing them. */
  constructor(database: Database, session: mongo.ClientSession, campaignId: string, skip: number) {
    this.database = database;
    this.session = session;
    this.campaignId = campaignId;
    this.skip = skip;
  }

  /**
   * The stage of a query on campaigns that finds the operation with the campaign lock. The constant id lets it use the
   * index.
   */
  lookup(as: string): mongo.Document {
    const from = this.database.operations.collectionName;
    const pipeline = [
      { $match: { campaignLock: this.campaignId } },
      { $project: { 'plan.sources': 1, 'plan.statuses': 1 } },
    ];
    return { $lookup: { from, pipeline, as } };
  }

  /** The operation that has the campaign lock, if it takes claimable conversations from the pool. */
  set operation(running: PoolOperation | undefined) {
    const { sources = [], statuses = [] } = running?.plan ?? {};
    this.running = sources.includes(null) && statuses.includes(CLAIMED_STATUS) ? running : undefined;
  }

  get isBesideOperation(): boolean {
    return this.running !== undefined;
  }

  /**
   * Begins to read the first conversations at once, while the transaction reads the rules. The write of a conversation that
   * another transaction has taken meanwhile does not match, and the round begins again.
   */
  readAhead(limit: number): void {
    const head = this.readRange({}, limit + this.skip, {});
    // A failure is reported by the read that needs the conversations.
    head.catch(() => undefined);
    this.head = head;
    this.headLimit = limit;
  }

  async read(limit: number): Promise<Pool> {
    this.known = (await this.knownFor(limit)) ?? { limit, pool: await this.readFirst(limit) };
    const { ids, shortage } = this.known.pool;
    return { ids: ids.slice(0, limit), shortage };
  }

  /** Call it after conversations were assigned. */
  forget(): void {
    this.known = undefined;
    this.head = undefined;
  }

  /** Returns what is known of the pool if it has `limit` conversations, or all that there are. */
  private async knownFor(limit: number): Promise<typeof this.known> {
    const known = this.known ?? (await this.knownFromHead());
    return known && (known.limit >= limit || known.pool.ids.length < known.limit) ? known : undefined;
  }

  private async knownFromHead(): Promise<typeof this.known> {
    if (!this.head || this.running) return undefined;
    const places = await this.head;
    if (!places.every(isTimed)) return undefined;
    return {
      limit: this.headLimit,
      pool: this.unskipped({ ids: idsOf(places), shortage: 'none-left' }, this.headLimit),
    };
  }

  private async readFirst(limit: number): Promise<Pool> {
    const planned = this.running && (await (this.planned ??= this.findPlanned(this.running)));
    const pool = await (planned ? this.readUnplanned(planned, limit + this.skip) : this.readAll(limit + this.skip));
    return this.unskipped(pool, limit);
  }

  private unskipped({ ids, shortage }: Pool, limit: number): Pool {
    return { ids: [...ids.slice(this.skip), ...ids.slice(0, this.skip)].slice(0, limit), shortage };
  }

  private async readAll(limit: number): Promise<Pool> {
    const first = await this.readRange({}, limit);
    const found = first.every(isTimed) ? first : await this.readWithUntimed(limit);
    return { ids: idsOf(found), shortage: 'none-left' };
  }

  /** Puts the conversations without a time between the others, in the place of their creation times. */
  private async readWithUntimed(limit: number): Promise<readonly Pick<Place, '_id'>[]> {
    const timed = (await this.readRange(ANY_TIME, limit)).map((doc) => ({ doc, waitingSince: doc.waitingSince }));
    const asked = { position: null, limit, direction: 'in-order' } as const;
    const untimed = await readUntimed((part, max) => this.readRange(part, max), [NO_TIME, ...OTHER_TYPES], asked);
    const places = mergePlaces([...timed, ...untimed], 'in-order');
    return places.slice(0, limit).map(({ doc }) => doc);
  }

  /**
   * Claims first take what lies after the operation's reading position. If that is not enough, they take unplanned
   * conversations before it, such as those that returned to the pool.
   */
  private async readUnplanned(planned: Planned, limit: number): Promise<Pool> {
    const behind = await this.readRanges(behindOf(planned.readTo), limit);
    if (behind.length === limit) return { ids: idsOf(behind), shortage: 'being-reassigned' };
    const plannedIds = await this.readPlannedIds(planned.operationId);
    const passed = await this.readRanges(upTo(planned.plannedTo), limit - behind.length + plannedIds.size);
    const free = passed.filter(({ _id }) => !plannedIds.has(_id.toHexString()));
    const isPlannedLeft = free.length < passed.length || (await this.hasReadAhead(planned));
    const ids = idsOf([...free, ...behind]).slice(0, limit);
    return { ids, shortage: isPlannedLeft ? 'being-reassigned' : 'none-left' };
  }

  /** The newest batch of an operation has the place that planning has reached. */
  private async findPlanned({ _id: operationId }: PoolOperation): Promise<Planned> {
    const newest = await this.database.batches.findOne<Pick<BatchDoc, 'after'>>(
      { _id: batchIdsOf(operationId) },
      { session: this.session, sort: { _id: -1 }, projection: { 'after.position': 1, 'after.readAhead': 1 } },
    );
    if (!newest) return { operationId, plannedTo: 'start', readTo: 'start' };
    const { position, readAhead } = newest.after;
    // An operation without a position, such as an undo, does not read the pool in order: only its planned ones are
    // excluded.
    const plannedTo = position ? boundOf(position) : 'end';
    return { operationId, plannedTo, readTo: readAhead ? later(plannedTo, boundOf(readAhead)) : plannedTo };
  }

  private async readPlannedIds(operationId: string): Promise<ReadonlySet<string>> {
    const planned = this.database.batches.aggregate<Pick<BatchDoc, 'moves'>>(
      [
        { $match: { _id: batchIdsOf(operationId) } },
        { $sort: { _id: -1 } },
        { $limit: UNAPPLIED_MAX },
        { $match: { state: 'planned' } },
        { $project: { _id: 0, 'moves.conversationIds': 1 } },
      ],
      { session: this.session, ...IN_ONE_BATCH },
    );
    const moves = (await planned.toArray()).flatMap((batch) => batch.moves);
    return new Set(moves.flatMap(({ conversationIds }) => conversationIds.map((id) => id.toHexString())));
  }

  /** Returns true when the pool has a conversation that the operation has read and not planned yet. */
  private async hasReadAhead({ plannedTo, readTo }: Planned): Promise<boolean> {
    const [next] = await this.readRanges(behindOf(plannedTo), 1);
    return next !== undefined && later(next, readTo) === readTo;
  }

  /** Reads the ranges one after the other until it has `limit` conversations. */
  private async readRanges(ranges: readonly mongo.Filter<ConversationDoc>[], limit: number): Promise<Place[]> {
    const found: Place[] = [];
    for (const range of ranges) {
      if (found.length < limit) found.push(...(await this.readRange(range, limit - found.length)));
    }
    return found;
  }

  private readRange(
    range: mongo.Filter<ConversationDoc>,
    limit: number,
    options: mongo.FindOptions = { session: this.session },
  ): Promise<Place[]> {
    const pool = this.database.conversations.find<Place>(
      { campaignId: this.campaignId, ...CLAIMABLE, ...range },
      {
        ...options,
        limit,
        projection: { waitingSince: 1, createdAt: 1 },
        sort: { waitingSince: 1, _id: 1 },
        hint: CLAIMABLE_INDEX,
        batchSize: limit + 1,
      },
    );
    return pool.toArray();
  }
}

function idsOf(places: readonly Pick<Place, '_id'>[]): string[] {
  return places.map(({ _id }) => _id.toHexString());
}
