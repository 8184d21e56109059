import DataLoader from 'dataloader';
import { DamagedRecord } from '../mongo/stored-values.ts';

/** Limits how long one caller waits for documents of others. */
const GROUP_MAX = 100;

/**
 * Reads documents by their ids. Those that are asked for in the same turn of the event loop are read with one query: many
 * requests arrive or continue together when a round of claims ends. The query begins after the calls, so an answer is never
 * older than its call. A damaged record fails the calls for it only.
 */
export class GroupedReads<Found> {
  private readonly loader: DataLoader<string, Found | undefined>;

  constructor(
    readAll: (ids: readonly string[]) => Promise<readonly (Found | DamagedRecord)[]>,
    idOf: (found: Found) => string,
  ) {
    const read = async (ids: readonly string[]): Promise<(Found | DamagedRecord | undefined)[]> => {
      const all = await readAll([...new Set(ids)]);
      const found = new Map(all.map((each) => [each instanceof DamagedRecord ? each.id : idOf(each), each]));
      return ids.map((id) => found.get(id));
    };
    this.loader = new DataLoader<string, Found | undefined>(read, {
      cache: false,
      maxBatchSize: GROUP_MAX,
      batchScheduleFn: (begin) => void setImmediate(begin),
    });
  }

  find(id: string): Promise<Found | undefined> {
    return this.loader.load(id);
  }
}
