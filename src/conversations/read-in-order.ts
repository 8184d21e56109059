import {
  comparePositions,
  STATUSES,
  statusesFrom,
  type Assignee,
  type Candidate,
  type Position,
  type Status,
} from '../domain/conversation.ts';
import { Heap } from '../domain/heap.ts';
import type { AssigneeCount, ConversationRange, ConversationStore } from './ports.ts';
import {
  RangeReader,
  type PageSizes,
  type RangeReading,
  areMany,
  ASSIGNEES_OF_FILTER_MAX,
  leftOutMax,
  readSelected,
  withConversations,
} from './range-reader.ts';

/** The largest number of conversations that one query reads. */
export const PAGE_MAX = 2_000;
/** Smaller pages would cost more queries than they save. */
const PAGE_MIN = 50;
/** About the number of conversations in memory while several sources are merged. The sources share it equally. */
const MERGE_BUFFER_SIZE = 20_000;

/** The reads that a selection needs. */
export type PageStore = Pick<ConversationStore, 'readPage' | 'countByAssignee'>;

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
 * scans no more than it returns. With many sources, a count may come first, which says who of them has conversations. A move
 * during the reading does no harm: it never puts a conversation before its earlier place.
 */
export async function* readInOrder(
  store: PageStore,
  selection: Selection,
  from: Position | null,
): AsyncGenerator<Candidate[]> {
  const { campaignId, sources, operationId } = selection;
  const readerOf = (range: ConversationRange, after: Position | null, sizes: PageSizes): RangeReader => {
    const fetch: RangeReading['fetch'] = (position, size) => store.readPage(range, position, size, operationId);
    return new RangeReader({ fetch, after, sizes, limit: selection.limit });
  };
  const isSource = new Set(sources);
  // One count costs less than a query for each of many sources.
  let counted: Promise<readonly AssigneeCount[]> | undefined;
  const countSources = () =>
    (counted ??= store.countByAssignee(campaignId, { assignees: sources, statuses: STATUSES }));
  for (const status of statusesFrom(selection.statuses, from)) {
    let after = from?.status === status ? from : null;
    let readOneByOne = sources;
    if (areMany(sources)) {
      const { first, max } = pageSizes(selection, 1);
      const sizes = { first: Math.min(first, leftOutMax(sources)), max };
      const everyone = readerOf({ campaignId, status }, after, sizes);
      const stoppedAt = yield* readSelected(everyone, sources, ({ assigneeId }) => isSource.has(assigneeId));
      if (stoppedAt === 'end') continue;
      after = stoppedAt;
      if (mayLeaveOutSources(sources)) {
        readOneByOne = withConversations(sources, await countSources(), (each) => each === status);
      }
    }
    const sizes = pageSizes(selection, readOneByOne.length);
    const readers = readOneByOne.map((assigneeId) => readerOf({ campaignId, assigneeId, status }, after, sizes));
    const [first, second] = readers;
    yield* first && !second ? first.pages() : merge(readers);
  }
}

/**
 * Returns true when a reading may leave out sources that had no conversation at its beginning. A conversation that comes to such
 * a source meanwhile is found by the next pass.
 */
export function mayLeaveOutSources(sources: readonly Assignee[]): boolean {
  return sources.length > ASSIGNEES_OF_FILTER_MAX;
}

/**
 * The first page is no larger than the limit needs. Each later page is twice as large, up to `max`, because the planner may
 * skip many conversations (opted out, already at the target).
 */
function pageSizes({ limit }: Selection, readers: number): PageSizes {
  const max = pageMaxOf(readers);
  return { first: Math.min(Math.max(limit ?? max, PAGE_MIN), max), max };
}

/** The largest page of each of several sources that are merged. */
export function pageMaxOf(readers: number): number {
  const share = Math.ceil(MERGE_BUFFER_SIZE / readers);
  return Math.min(Math.max(share, PAGE_MIN), PAGE_MAX);
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
