import type { Assignee, Candidate, Position, Status } from '../domain/conversation.ts';
import type { AssigneeCount } from './ports.ts';

/** Up to this many assignees, counting a range for each is faster than counting the whole campaign. */
export const ASSIGNEES_OF_FILTER_MAX = 100;

/** With fewer sources, a range for each is as fast, and reads nothing else. */
const SOURCES_MIN = 10;
/** A query takes about as long as reading this many conversations. */
const CONVERSATIONS_PER_QUERY = 50;

export interface PageSizes {
  readonly first: number;
  readonly max: number;
}

export interface RangeReading {
  /** Reads a page beyond a position. */
  readonly fetch: (position: Position | null, size: number) => Promise<Candidate[]>;
  readonly after: Position | null;
  readonly sizes: PageSizes;
  /** After so many conversations a page is fetched only when it is needed; `null` for always in advance. */
  readonly limit: number | null;
}

/** Reads one range page by page. */
type PageSource = Pick<RangeReader, 'pages'>;

/** Reads one range. It fetches the next page while the current one is used, unless the limit is reached. */
export class RangeReader {
  private readonly reading: RangeReading;
  private readonly sizeMax: number;
  /** The size of the page that is being fetched. */
  private size: number;
  private nextPage: Promise<Candidate[]> | undefined;
  /** The conversations that the pages so far contain. */
  private readCount = 0;
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
    const before = this.page.at(-1);
    this.page = await (this.nextPage ?? this.fetchAfter(before ?? this.reading.after));
    this.index = 0;
    this.readCount += this.page.length;
    const last = this.page.at(-1);
    const mayHaveMore = last !== undefined && this.page.length === this.size;
    this.size = Math.min(this.size * 2, this.sizeMax);
    this.nextPage = mayHaveMore ? this.fetchInAdvance(last) : Promise.resolve([]);
    return last !== undefined;
  }

  /** A page that nobody needs costs as much as one that is used. */
  private fetchInAdvance(position: Position): Promise<Candidate[]> | undefined {
    const { limit } = this.reading;
    return limit === null || this.readCount < limit ? this.fetchAfter(position) : undefined;
  }

  private fetchAfter(position: Position | null): Promise<Candidate[]> {
    const page = this.reading.fetch(position, this.size);
    // A failure surfaces where the page is awaited. Until then Node must not report it as unhandled.
    page.catch(() => undefined);
    return page;
  }
}

/** How many conversations of others may be read for nothing: a query for each source would cost as much. */
export function leftOutMax(sources: readonly Assignee[]): number {
  return sources.length * CONVERSATIONS_PER_QUERY;
}

/** Returns the assignees that have conversations. `isIn` says which statuses count. */
export function withConversations(
  assignees: readonly Assignee[],
  counts: readonly AssigneeCount[],
  isIn: (status: Status) => boolean,
): Assignee[] {
  const found = new Set(counts.filter(({ status }) => isIn(status)).map(({ assigneeId }) => assigneeId));
  return assignees.filter((assigneeId) => found.has(assigneeId));
}

/** Returns true when the conversations of these sources may be read as one range with those of all others. */
export function areMany(sources: readonly Assignee[]): boolean {
  return sources.length >= SOURCES_MIN;
}

/**
 * Reads pages of the range of all assignees and leaves out the conversations that are not selected. It stops when those cost
 * as much as a query for each source: the caller then reads a range for each source. So the whole reading takes at most about
 * twice as long as the better of the two ways, and two pages more. Returns the position to continue after, or `end`.
 */
export async function* readSelected(
  pages: PageSource,
  sources: readonly Assignee[],
  isSelected: (candidate: Candidate) => boolean,
): AsyncGenerator<Candidate[], Position | 'end'> {
  const max = leftOutMax(sources);
  let leftOut = 0;
  for await (const page of pages.pages()) {
    const selected = page.filter(isSelected);
    leftOut += page.length - selected.length;
    if (selected.length > 0) yield selected;
    const last = page.at(-1);
    if (leftOut > max && last) return last;
  }
  return 'end';
}
