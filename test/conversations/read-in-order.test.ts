import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { ConversationStore } from '../../src/conversations/ports.ts';
import { readInOrder, type Selection } from '../../src/conversations/read-in-order.ts';
import { readFromEnd } from '../../src/conversations/read-from-end.ts';
import { comparePositions, STATUSES, type Candidate } from '../../src/domain/conversation.ts';

/** How many conversations of others are read in vain before 200 sources are read one by one. */
const FOREIGN_MAX = 10_000;
const ASSIGNEES = [null, 't1', 't2', 't3'];
const ALL: Selection = { campaignId: 'c1', sources: ASSIGNEES, statuses: STATUSES, operationId: 'op', limit: null };

/** Few different moments, so that many conversations share one and only their ids decide the order. */
const conversations = fc
  .array(
    fc.record({
      assigneeId: fc.constantFrom(...ASSIGNEES),
      status: fc.constantFrom(...STATUSES),
      waitingSince: fc.nat({ max: 20 }),
      optedOut: fc.boolean(),
    }),
    { maxLength: 400, size: 'max' },
  )
  .map((some) => some.map((each, index): Candidate => ({ ...each, id: String(index).padStart(24, '0') })));

/** A store over a list. It counts the pages that were read and the conversations in them. */
function storeOf(all: readonly Candidate[]) {
  const sorted = all.toSorted(comparePositions);
  const read = { pages: 0, conversations: 0 };
  const readPage: ConversationStore['readPage'] = ({ assigneeId, status }, after, limit) => {
    const page = sorted
      .filter((each) => (assigneeId === undefined || each.assigneeId === assigneeId) && each.status === status)
      .filter((each) => after === null || comparePositions(each, after) > 0)
      .slice(0, limit);
    read.pages += 1;
    read.conversations += page.length;
    return Promise.resolve(page);
  };
  const readPageBefore: ConversationStore['readPageBefore'] = ({ assigneeId, status }, before, limit) => {
    const page = sorted
      .toReversed()
      .filter((each) => (assigneeId === undefined || each.assigneeId === assigneeId) && each.status === status)
      .filter((each) => before === null || comparePositions(each, before) < 0)
      .slice(0, limit);
    return Promise.resolve(page);
  };
  const countByAssignee: ConversationStore['countByAssignee'] = (_campaignId, among) => {
    const counted = all.filter(({ status }) => among?.statuses.includes(status));
    return Promise.resolve(counted.map(({ assigneeId, status }) => ({ assigneeId, status, count: 1 })));
  };
  return { store: { readPage, readPageBefore, countByAssignee } as ConversationStore, read, sorted };
}

async function idsOf(pages: AsyncIterable<Candidate[]>): Promise<string[]> {
  const ids: string[] = [];
  for await (const page of pages) {
    expect(page).not.toEqual([]);
    ids.push(...page.map(({ id }) => id));
  }
  return ids;
}

describe('readInOrder', () => {
  it('reads the selected conversations exactly once, in the order of selection, from any position on', async () => {
    const sources = fc.subarray(ASSIGNEES, { minLength: 1 });
    const statuses = fc.subarray([...STATUSES], { minLength: 1 });
    const limits = fc.option(fc.integer({ min: 1, max: 80 }));
    await fc.assert(
      fc.asyncProperty(conversations, sources, statuses, fc.nat(), limits, async (all, from, among, place, limit) => {
        const { store, sorted } = storeOf(all);
        const start = place % 3 === 0 ? null : (sorted[place % Math.max(sorted.length, 1)] ?? null);
        const expected = sorted.filter(
          (each) =>
            from.includes(each.assigneeId) &&
            among.includes(each.status) &&
            (start === null || comparePositions(each, start) > 0),
        );
        const ids = await idsOf(readInOrder(store, { ...ALL, sources: from, statuses: among, limit }, start));
        expect(ids).toEqual(expected.map(({ id }) => id));
      }),
    );
  });

  const waiting = (count: number): Candidate[] =>
    Array.from({ length: count }, (_, index) => ({
      id: String(index).padStart(24, '0'),
      assigneeId: null,
      status: 'not-started',
      waitingSince: index,
      optedOut: false,
    }));

  it('reads small pages first when few conversations are wanted', async () => {
    const { store, read, sorted } = storeOf(waiting(10_000));
    const pages = readInOrder(store, { ...ALL, sources: [null], statuses: ['not-started'], limit: 10 }, null);
    expect((await pages.next()).value).toEqual(sorted.slice(0, 50));
    // Enough for the limit, so no page is fetched in advance.
    expect(read).toEqual({ pages: 1, conversations: 50 });
    expect((await pages.next()).value).toEqual(sorted.slice(50, 150));
    await pages.return(undefined);
    expect(read).toEqual({ pages: 2, conversations: 150 });
  });

  it('gives each of many sources a small part of its memory', async () => {
    const sources = Array.from({ length: 200 }, (_, index) => `t${index}`);
    // One for each source, after as many of others as are read for nothing.
    const all = waiting(FOREIGN_MAX + 1 + sources.length).map((each, index) => {
      return { ...each, assigneeId: sources[index - FOREIGN_MAX - 1] ?? null };
    });
    const { store } = storeOf(all);
    const sizes: number[] = [];
    const recording = {
      ...store,
      readPage: (...args: Parameters<ConversationStore['readPage']>) => {
        sizes.push(args[2]);
        return store.readPage(...args);
      },
    };
    const ids = await idsOf(readInOrder(recording, { ...ALL, sources, statuses: ['not-started'] }, null));
    expect(ids).toHaveLength(sources.length);
    expect(new Set(sizes.slice(-sources.length))).toEqual(new Set([100]));
  });

  it('reads many sources as one range, and leaves out the conversations of others', async () => {
    const absent = Array.from({ length: 100 }, (_, index) => `absent${index}`);
    await fc.assert(
      fc.asyncProperty(conversations, fc.subarray(ASSIGNEES, { minLength: 1 }), async (all, from) => {
        const { store, read, sorted } = storeOf(all);
        const ids = await idsOf(readInOrder(store, { ...ALL, sources: [...from, ...absent] }, null));
        expect(ids).toEqual(sorted.filter(({ assigneeId }) => from.includes(assigneeId)).map(({ id }) => id));
        expect(read.pages).toBe(STATUSES.length);
      }),
    );
  });

  it('reads a range for each of many sources when most conversations are of others', async () => {
    const own = waiting(2 * FOREIGN_MAX).map((each, index) => ({
      ...each,
      assigneeId: index % 200 === 0 ? 't1' : null,
    }));
    const sources = Array.from({ length: 200 }, (_, index) => `t${index}`);
    const { store, read } = storeOf(own);
    const ids = await idsOf(readInOrder(store, { ...ALL, sources, statuses: ['not-started'] }, null));
    expect(ids).toEqual(own.filter(({ assigneeId }) => assigneeId === 't1').map(({ id }) => id));
    expect(read.conversations).toBeLessThan(FOREIGN_MAX * 1.5);
    // Only one of the sources has conversations.
    expect(read.pages).toBeLessThan(10);
  });

  it('reads the last conversations of many sources as one range, as many as are wanted of each', async () => {
    await fc.assert(
      fc.asyncProperty(conversations, fc.nat({ max: 20 }), fc.constantFrom(0, 100), async (all, each, absent) => {
        const wanted = new Map(
          [
            ['t1', each],
            ['t2', 2 * each],
          ].map(([id, count]) => [id as string, count as number]),
        );
        const padding = Array.from({ length: absent }, (_, index) => `absent${index}`);
        for (const id of padding) wanted.set(id, 1);
        const { store, sorted } = storeOf(all);
        const left = new Map(wanted);
        const selection = {
          ...ALL,
          sources: [...wanted.keys()],
          wanted: (id: string | null) => left.get(id ?? '') ?? 0,
        };
        const read: string[] = [];
        for await (const page of readFromEnd(store, selection)) {
          for (const { id, assigneeId } of page) {
            const more = left.get(assigneeId ?? '') ?? 0;
            if (more <= 0) continue;
            left.set(assigneeId ?? '', more - 1);
            read.push(id);
          }
        }
        const open = new Map(wanted);
        const expected = sorted.toReversed().filter(({ assigneeId }) => {
          const more = open.get(assigneeId ?? '') ?? 0;
          open.set(assigneeId ?? '', more - 1);
          return more > 0;
        });
        expect(read).toEqual(expected.map(({ id }) => id));
      }),
    );
  });

  it('throws the error of a page that cannot be read', async () => {
    const store = { readPage: () => Promise.reject(new Error('connection lost')) } as unknown as ConversationStore;
    await expect(idsOf(readInOrder(store, ALL, null))).rejects.toThrow('connection lost');
  });
});
