import type { Candidate, Assignee, Status } from '../domain/conversation.ts';
import { comparePositions, statusesFrom, type Position } from '../domain/selection.ts';
import type { ConversationStore, Range, RangeKey } from './ports.ts';

/** The most conversations read in one query. */
const PAGE_MAX = 2_000;
/** Held in memory at a time when several sources are merged: each has its share. */
const MERGED_PAGES_MAX = 20_000;
/** Fewer would make more queries than they save. */
const PAGE_MIN = 50;

export interface Selection {
  readonly campaignId: string;
  readonly sources: readonly Assignee[];
  readonly statuses: readonly Status[];
  /** The operation that selects: what it has moved already is left out. */
  readonly operationId: string;
  /** How many are wanted at the most, so that no more are read than that; `null` for all. */
  readonly limit: number | null;
}

/**
 * Reads a selection in its order, in chunks, from behind `from`. Each query is one range of the index and scans what
 * it returns. Moving what was read does not disturb the reading: a move never puts a conversation ahead of its own place.
 */
export async function* readInOrder(
  store: ConversationStore,
  selection: Selection,
  from: Position | null,
): AsyncGenerator<Candidate[]> {
  const pages = pageSizes(selection);
  for (const status of statusesFrom(selection.statuses, from)) {
    const after = from?.status === status ? from : null;
    const ranges = selection.sources.map((assigneeId) => ({ campaignId: selection.campaignId, assigneeId, status }));
    const readers = ranges.map((range) => new RangeReader(store, range, after, pages, selection.operationId));
    const [only, ...others] = readers;
    yield* only && others.length === 0 ? only.pages() : merged(readers);
  }
}

interface PageSizes {
  readonly first: number;
  readonly most: number;
}

/**
 * A page is a source's share. When few are wanted the first is small, and the next ones double: what is passed over on
 * the way (opted out, already there) may be much.
 */
function pageSizes({ sources, limit }: Selection): PageSizes {
  const share = Math.ceil(MERGED_PAGES_MAX / sources.length);
  const most = Math.min(Math.max(share, PAGE_MIN), PAGE_MAX);
  return { first: Math.min(Math.max(limit ?? most, PAGE_MIN), most), most };
}

/** Reads one range page by page, one page ahead of whoever takes. */
class RangeReader {
  private next: Promise<Candidate[]>;
  private page: Candidate[] = [];
  private at = 0;
  private readonly readAfter: (key: RangeKey | null) => Promise<Candidate[]>;
  private readonly sizes: PageSizes;
  /** Of the page that is being read. */
  private size: number;

  constructor(store: ConversationStore, range: Range, after: RangeKey | null, sizes: PageSizes, operationId: string) {
    this.sizes = sizes;
    this.size = sizes.first;
    this.readAfter = (key) => {
      const page = store.readPage(range, key, this.size, operationId);
      // Whoever takes it next sees its failure; until then it must not count as unhandled.
      page.catch(() => undefined);
      return page;
    };
    this.next = this.readAfter(after);
  }

  async *pages(): AsyncGenerator<Candidate[]> {
    while (await this.turnPage()) yield this.page;
  }

  /** Makes `head` valid; false at the end of the range. */
  async fill(): Promise<boolean> {
    return this.at < this.page.length || (await this.turnPage());
  }

  get head(): Candidate | undefined {
    return this.page[this.at];
  }

  get hasMoreInHand(): boolean {
    return this.at < this.page.length;
  }

  take(): void {
    this.at += 1;
  }

  private async turnPage(): Promise<boolean> {
    this.page = await this.next;
    this.at = 0;
    const last = this.page.at(-1);
    const mayHaveMore = last !== undefined && this.page.length === this.size;
    this.size = Math.min(this.size * 2, this.sizes.most);
    this.next = mayHaveMore ? this.readAfter(last) : Promise.resolve([]);
    return last !== undefined;
  }
}

/** The readers' conversations in one order; a chunk ends where a reader has to read on. */
async function* merged(readers: readonly RangeReader[]): AsyncGenerator<Candidate[]> {
  let open = await filled(readers);
  while (open.length > 0) {
    const chunk: Candidate[] = [];
    let first: RangeReader;
    do {
      first = open.reduce((a, b) => (isBefore(b, a) ? b : a));
      if (first.head) chunk.push(first.head);
      first.take();
    } while (first.hasMoreInHand);
    yield chunk;
    if (!(await first.fill())) open = open.filter((reader) => reader !== first);
  }
}

async function filled(readers: readonly RangeReader[]): Promise<RangeReader[]> {
  const answers = await Promise.all(readers.map(async (reader) => ((await reader.fill()) ? [reader] : [])));
  return answers.flat();
}

function isBefore(a: RangeReader, b: RangeReader): boolean {
  return a.head !== undefined && b.head !== undefined && comparePositions(a.head, b.head) < 0;
}
