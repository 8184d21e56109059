import { toClaim, type Claim } from '../claims/index.ts';
import type { Database } from '../mongo/database.ts';
import { IS_WAITING, TO_WAKE, type ClaimDoc } from '../mongo/documents.ts';
import { DEADLINE_INDEX, TO_WAKE_INDEX, WAITING_INDEX } from '../mongo/indexes.ts';

const PAGE = 100;

type Filter = Record<string, unknown>;
type Order = Readonly<Record<string, 1>>;

/** A claim that was read, in the order of deadlines and ids. */
interface ReadTo {
  readonly until: Date;
  readonly id: string;
}

const START: ReadTo = { until: new Date(0), id: '' };

/** Reads the waiting claims, and those that have stopped waiting, in pages, with the indexes made for these queries. */
export class WaitingReader {
  private readonly database: Database;
  /** The deadline and the id after which {@link next} continues. */
  private readTo = START;

  constructor(database: Database) {
    this.database = database;
  }

  async *first(): AsyncGenerator<Claim> {
    for (let campaignId = ''; ;) {
      const filter = { ...IS_WAITING, campaignId: { $gt: campaignId } };
      const order = { campaignId: 1, 'request.texterId': 1 } as const;
      const [claim] = await this.read(filter, order, WAITING_INDEX, 1);
      if (!claim) return;
      yield claim;
      campaignId = claim.campaignId;
    }
  }

  async *of(campaignId: string): AsyncGenerator<Claim[]> {
    for (let texterId = ''; ;) {
      const filter = { ...IS_WAITING, campaignId, 'request.texterId': { $gt: texterId } };
      const page = await this.read(filter, { campaignId: 1, 'request.texterId': 1 }, WAITING_INDEX);
      if (page.length === 0) return;
      yield page;
      texterId = page.at(-1)?.request.texterId ?? texterId;
    }
  }

  /**
   * Returns the next page of all waiting claims, and begins again after the last one. All claims of a round have the same
   * deadline, so a page may end between them. The index has no ids: those of one deadline are read apart, in their order.
   */
  async next(): Promise<Claim[]> {
    const { until, id } = this.readTo;
    const page = await this.sameDeadline(until, id, PAGE);
    if (page.length < PAGE) {
      const filter = { 'waiting.until': { $exists: true, $gt: until } };
      const later = await this.read(filter, { 'waiting.until': 1 }, DEADLINE_INDEX, PAGE - page.length);
      const last = deadlineOf(later.at(-1));
      page.push(...later.filter((claim) => deadlineOf(claim) < last));
      page.push(...(await this.sameDeadline(last, '', PAGE - page.length)));
    }
    const end = page.length === PAGE ? page.at(-1) : undefined;
    this.readTo = end ? { until: deadlineOf(end), id: end.operationId } : START;
    return page;
  }

  private async sameDeadline(until: Date, after: string, limit: number): Promise<Claim[]> {
    const filter = { 'waiting.until': { $exists: true, $eq: until }, _id: { $gt: after } };
    return this.read(filter, { _id: 1 }, DEADLINE_INDEX, limit);
  }

  async *overdue(): AsyncGenerator<Claim[]> {
    const now = this.database.now();
    for (let after = new Date(0); ;) {
      // A claim that could not be ended is read again in the next pass.
      const filter = { 'waiting.until': { $exists: true, $gte: after, $lte: now } };
      const page = await this.read(filter, { 'waiting.until': 1 }, DEADLINE_INDEX);
      if (page.length > 0) yield page;
      if (page.length < PAGE) return;
      const last = page.at(-1)?.waiting?.until ?? now;
      after = last > after ? last : new Date(after.getTime() + 1);
    }
  }

  async *toWake(): AsyncGenerator<Claim[]> {
    for (let last = ''; ;) {
      const page = await this.read({ ...TO_WAKE, _id: { $gt: last } }, { toWake: 1, _id: 1 }, TO_WAKE_INDEX);
      if (page.length === 0) return;
      yield page;
      last = page.at(-1)?.operationId ?? last;
    }
  }

  private async read(filter: Filter, order: Order, hint: string, limit = PAGE): Promise<Claim[]> {
    const { claims } = this.database;
    const docs = claims.find<ClaimDoc>(filter, { sort: order, limit, hint, batchSize: limit + 1 });
    return (await docs.toArray()).map(toClaim);
  }
}

function deadlineOf(claim: Claim | undefined): Date {
  return claim?.waiting?.until ?? START.until;
}
