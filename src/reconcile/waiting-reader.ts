import { toClaim, type Claim } from '../claims/index.ts';
import type { Database } from '../mongo/database.ts';
import { IS_WAITING, TO_WAKE, type ClaimDoc } from '../mongo/documents.ts';
import { DEADLINE_INDEX, TO_WAKE_INDEX, WAITING_INDEX } from '../mongo/indexes.ts';

const PAGE = 100;

type Filter = Record<string, unknown>;
type Order = Readonly<Record<string, 1>>;

/** Reads the waiting claims, and those that have stopped waiting, in pages, with the indexes made for these queries. */
export class WaitingReader {
  private readonly database: Database;
  /** The deadline at which {@link next} continues. */
  private readTo = new Date(0);

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

  async next(): Promise<Claim[]> {
    const filter = { 'waiting.until': { $exists: true, $gt: this.readTo } };
    const page = await this.read(filter, { 'waiting.until': 1 }, DEADLINE_INDEX);
    this.readTo = (page.length === PAGE && page.at(-1)?.waiting?.until) || new Date(0);
    return page;
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
