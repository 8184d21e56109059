import type { Candidate, Position } from '../domain/conversation.ts';

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
export type PageSource = Pick<RangeReader, 'pages'>;

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
