import { comparePositions, type Assignee, type Candidate, type Status } from '../domain/conversation.ts';
import type { ConversationRange, ConversationStore } from './ports.ts';
import { merge, MERGE_BUFFER_MAX, PAGE_MAX, type PageReader } from './read-in-order.ts';

export interface SelectionFromEnd {
  readonly campaignId: string;
  readonly sources: readonly Assignee[];
  readonly statuses: readonly Status[];
  /** The operation that selects. Conversations that it has moved already are left out. */
  readonly operationId: string;
  /** Returns how many conversations of a source are still wanted. Called before each query. */
  readonly wanted: (source: Assignee) => number;
}

type PageStore = Pick<ConversationStore, 'readPageBefore'>;

/**
 * Reads the last conversations of each source, in the opposite of the order of selection. Each query is one range of an
 * index, and the first query of a range reads no more than is wanted of the source.
 *
 * A source is read on while more of it is wanted, because the planner may skip conversations. So a later page can have
 * more conversations than are wanted.
 */
export async function* readFromEnd(store: PageStore, selection: SelectionFromEnd): AsyncGenerator<Candidate[]> {
  const { campaignId, sources, statuses, wanted } = selection;
  for (const status of statuses.toReversed()) {
    const readers = sources
      .filter((source) => wanted(source) > 0)
      .map((assigneeId) => new EndReader(store, selection, { campaignId, assigneeId, status }));
    yield* merge(readers, (a, b) => comparePositions(b, a));
  }
}

/** Reads one range from its end. It fetches a page only when the page before is used up. */
class EndReader implements PageReader {
  private readonly store: PageStore;
  private readonly selection: SelectionFromEnd;
  private readonly range: ConversationRange;
  private readonly sizeMax: number;
  private size = 0;
  private page: readonly Candidate[] = [];
  private index = 0;
  private isAtStart = false;

  constructor(store: PageStore, selection: SelectionFromEnd, range: ConversationRange) {
    this.store = store;
    this.selection = selection;
    this.range = range;
    this.sizeMax = Math.min(PAGE_MAX, Math.ceil(MERGE_BUFFER_MAX / selection.sources.length));
  }

  get head(): Candidate | undefined {
    return this.page[this.index];
  }

  get isPageUsedUp(): boolean {
    return this.index >= this.page.length;
  }

  skipHead(): void {
    this.index += 1;
  }

  async fill(): Promise<boolean> {
    if (!this.isPageUsedUp) return true;
    const { wanted, operationId } = this.selection;
    const wantedCount = wanted(this.range.assigneeId);
    if (wantedCount <= 0 || this.isAtStart) return false;
    // Doubled, so that many skipped conversations in a row cost few queries.
    this.size = Math.min(Math.max(wantedCount, this.size * 2), this.sizeMax);
    this.page = await this.store.readPageBefore(this.range, this.page.at(-1) ?? null, this.size, operationId);
    this.index = 0;
    this.isAtStart = this.page.length < this.size;
    return this.page.length > 0;
  }
}
