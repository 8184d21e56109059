import {
  comparePositions,
  STATUSES,
  type Assignee,
  type Candidate,
  type Position,
  type Status,
} from '../domain/conversation.ts';
import type { ConversationRange, ConversationStore } from './ports.ts';
import { RangeReader, type RangeReading, areMany, readSelected } from './range-reader.ts';
import { merge, PAGE_MAX, pageMaxOf, type PageReader } from './read-in-order.ts';

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
 * more conversations than are wanted. `from`: the conversation at which an earlier reading stopped; `null` for the end.
 */
export async function* readFromEnd(
  store: PageStore,
  selection: SelectionFromEnd,
  from: Position | null = null,
): AsyncGenerator<Candidate[]> {
  const { campaignId, sources, statuses, wanted } = selection;
  const isLeft = (status: Status): boolean => !from || STATUSES.indexOf(status) <= STATUSES.indexOf(from.status);
  for (const status of statuses.toReversed().filter(isLeft)) {
    let givers = sources.filter((source) => wanted(source) > 0);
    let before = from?.status === status ? from : null;
    if (areMany(givers)) {
      const stoppedAt: Position | 'end' = yield* readFromEndOfAll(store, selection, status, givers, before);
      if (stoppedAt === 'end') continue;
      before = stoppedAt;
      givers = givers.filter((source) => wanted(source) > 0);
    }
    const place = { before, sizeMax: pageMaxOf(givers.length) };
    const readers = givers.map((assigneeId) => {
      return new EndReader(store, selection, { campaignId, assigneeId, status }, place);
    });
    yield* merge(readers, (a, b) => comparePositions(b, a));
  }
}

/** Reads the range of all assignees from its end. */
async function* readFromEndOfAll(
  store: PageStore,
  { campaignId, operationId, wanted }: SelectionFromEnd,
  status: Status,
  givers: readonly Assignee[],
  before: Position | null,
): AsyncGenerator<Candidate[], Position | 'end'> {
  const wantedCount = givers.reduce((sum, giver) => sum + wanted(giver), 0);
  const fetch: RangeReading['fetch'] = (position, size) =>
    store.readPageBefore({ campaignId, status }, position, size, operationId);
  const sizes = { first: Math.min(wantedCount, PAGE_MAX), max: PAGE_MAX };
  const pages = new RangeReader({ fetch, after: before, sizes, limit: wantedCount });
  const isGiver = new Set(givers);
  return yield* readSelected(pages, givers, ({ assigneeId }) => isGiver.has(assigneeId) && wanted(assigneeId) > 0);
}

/** Reads one range from its end. It fetches a page only when the page before is used up. */
class EndReader implements PageReader {
  private readonly store: PageStore;
  private readonly selection: SelectionFromEnd;
  private readonly range: ConversationRange & { readonly assigneeId: Assignee };
  private readonly before: Position | null;
  private readonly sizeMax: number;
  private size = 0;
  private page: readonly Candidate[] = [];
  private index = 0;
  private isAtStart = false;

  constructor(
    store: PageStore,
    selection: SelectionFromEnd,
    range: ConversationRange & { readonly assigneeId: Assignee },
    { before, sizeMax }: { readonly before: Position | null; readonly sizeMax: number },
  ) {
    this.store = store;
    this.before = before;
    this.sizeMax = sizeMax;
    this.selection = selection;
    this.range = range;
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
    this.page = await this.store.readPageBefore(this.range, this.page.at(-1) ?? this.before, this.size, operationId);
    this.index = 0;
    this.isAtStart = this.page.length < this.size;
    return this.page.length > 0;
  }
}
