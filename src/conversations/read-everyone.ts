import type { Assignee, Candidate, Position, Status } from '../domain/conversation.ts';
import type { AssigneeCount } from './ports.ts';
import type { PageSource } from './range-reader.ts';

/** Up to this many assignees, counting a range for each is faster than counting the whole campaign. */
export const ASSIGNEES_OF_FILTER_MAX = 100;

/** With fewer sources, a range for each is as fast, and reads nothing else. */
const SOURCES_MIN = 10;
/** A query takes about as long as reading this many conversations. */
const CONVERSATIONS_PER_QUERY = 50;

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
 * Reads pages of the range of all assignees and leaves out the conversations that are not selected. When it has left out as
 * many as a query for each source would cost, it stops: the caller then reads a range for each source, and the whole
 * reading takes at most about twice as long as the better of the two ways, and two pages more. Returns the position to continue after, or
 * `end`.
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
