import {
  comparePositions,
  statusesFrom,
  type Assignee,
  type Candidate,
  type Position,
  type Status,
} from '../domain/conversation.ts';
import { Heap } from '../domain/heap.ts';
import type { ConversationRange, ConversationStore } from './ports.ts';

/** The largest number of conversations that one query reads. */
export const PAGE_MAX = 2_000;
/** Smaller pages would cost more queries than they save. */
const PAGE_MIN = 50;
/** The number of conversations in memory while several sources are merged. The sources share it equally. */
export const MERGE_BUFFER_MAX = 20_000;

type PageStore = Pick<ConversationStore, 'readPage'>;

export interface Selection {
  readonly campaignId: string;
  readonly sources: readonly Assignee[];
  readonly statuses: readonly Status[];
  /** The operation that selects. Conversations that it has moved already are left out. */
  readonly operationId: string;
  /** The number of conversations wanted, so that the first pages are no larger; `null` for all. */
  readonly limit: number | null;
}

/**
 * Reads a selection page by page, in the order of selection, from a position on. Each query is one range of an index and
 * scans no more than it returns. Moves during the reading do not disturb it: a move never puts a conversation before the
 * place that it had.
 */
export async function* readInOrder(
  store: PageStore,
  selection: Selection,
  from: Position | null,
): AsyncGenerator<Candidate[]> {
  const { campaignId, sources, operationId } = selection;
  const sizes = pageSizes(selection);
  for (const status of statusesFrom(selection.statuses, from)) {
    const after = from?.status === status ? from : null;
    const readers = sources.map((assigneeId) => {
      const range = { campaignId, assigneeId, status };
      return new RangeReader({ store, range, after, sizes, operationId });
    });
    const [first, second] = readers;
    yield* first && !second ? first.pages() : merge(readers);
  }
}

interface PageSizes {
  readonly first: number;
  readonly max: number;
}

/**
 * The first page is no larger than the limit needs. Each later page is twice as large, up to `max`, because the planner may
 * skip many conversations (opted out, already at the target).
 */
function pageSizes({ sources, limit }: Selection): PageSizes {
  const share = Math.ceil(MERGE_BUFFER_MAX / sources.length);
  const max = Math.min(Math.max(share, PAGE_MIN), PAGE_MAX);
  return { first: Math.min(Math.max(limit ?? max, PAGE_MIN), max), max };
}

interface RangeReading {
  readonly store: PageStore;
  readonly range: ConversationRange;
  readonly after: Position | null;
  readonly sizes: PageSizes;
  readonly operationId: string;
}

/** Reads one range. It fetches the next page while the current one is used. */
class RangeReader {
  private readonly reading: RangeReading;
  private readonly sizeMax: number;
  /** The size of the page that is being fetched. */
  private size: number;
  private nextPage: Promise<Candidate[]>;
  private page: Candidate[] = [];
  private index = 0;

  constructor(reading: RangeReading) {
    this.reading = reading;
    this.sizeMax = reading.sizes.max;
    this.size = reading.sizes.first;
    this.nextPage = this.fetchAfter(reading.after);
  }

  async *pages(): AsyncGenerator<Candidate[]> {
    while (await this.loadPage()) yield this.page;
  }

  /** Loads the next page if the current one is used up. Returns false at the end of the range. */
  async fill(): Promise<boolean> {
    return !this.isPageUsedUp || (await this.loadPage());
  }

  /** The next conversation of the current page. */
  get head(): Candidate | undefined {
    return this.page[this.index];
  }

  get isPageUsedUp(): boolean {
    return this.index >= this.page.length;
  }

  skipHead(): void {
    this.index += 1;
  }

  private async loadPage(): Promise<boolean> {
    this.page = await this.nextPage;
    this.index = 0;
    const last = this.page.at(-1);
    const mayHaveMore = last !== undefined && this.page.length === this.size;
    this.size = Math.min(this.size * 2, this.sizeMax);
    this.nextPage = mayHaveMore ? this.fetchAfter(last) : Promise.resolve([]);
    return last !== undefined;
  }

  private fetchAfter(position: Position | null): Promise<Candidate[]> {
    const { store, range, operationId } = this.reading;
    const page = store.readPage(range, position, this.size, operationId);
    // A failure surfaces where the page is awaited. Until then Node must not report it as unhandled.
    page.catch(() => undefined);
    return page;
  }
}

/** Reads pages of one range. */
export type PageReader = Pick<RangeReader, 'fill' | 'head' | 'isPageUsedUp' | 'skipHead'>;

/** Merges the readers' conversations into one order. A merged page ends where a reader has to load its next page. */
export async function* merge(
  readers: readonly PageReader[],
  compare: (a: Position, b: Position) => number = comparePositions,
): AsyncGenerator<Candidate[]> {
  await Promise.all(readers.map((reader) => reader.fill()));
  const isBefore = (a: Position | undefined, b: Position | undefined): boolean =>
    a !== undefined && (b === undefined || compare(a, b) < 0);
  const heap = new Heap(readers.length, (a, b) => isBefore(readers[a]?.head, readers[b]?.head));
  let merged: Candidate[] = [];
  for (;;) {
    const first = heap.first ?? 0;
    const reader = readers[first];
    if (!reader?.head) return;
    merged.push(reader.head);
    reader.skipHead();
    if (reader.isPageUsedUp) {
      yield merged;
      merged = [];
      await reader.fill();
    }
    heap.update(first);
  }
}
