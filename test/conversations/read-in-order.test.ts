import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { ConversationStore } from '../../src/conversations/ports.ts';
import { readInOrder, type Selection } from '../../src/conversations/read-in-order.ts';
import { comparePositions, STATUSES, type Candidate } from '../../src/domain/conversation.ts';

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
      .filter((each) => each.assigneeId === assigneeId && each.status === status)
      .filter((each) => after === null || comparePositions(each, after) > 0)
      .slice(0, limit);
    read.pages += 1;
    read.conversations += page.length;
    return Promise.resolve(page);
  };
  return { store: { readPage } as ConversationStore, read, sorted };
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
    await fc.assert(
      fc.asyncProperty(conversations, sources, statuses, fc.nat(), async (all, from, among, place) => {
        const { store, sorted } = storeOf(all);
        const start = place % 3 === 0 ? null : (sorted[place % Math.max(sorted.length, 1)] ?? null);
        const expected = sorted.filter(
          (each) =>
            from.includes(each.assigneeId) &&
            among.includes(each.status) &&
            (start === null || comparePositions(each, start) > 0),
        );
        const ids = await idsOf(readInOrder(store, { ...ALL, sources: from, statuses: among }, start));
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
    const { store, read } = storeOf(waiting(10_000));
    const pages = readInOrder(store, { ...ALL, sources: [null], statuses: ['not-started'], limit: 10 }, null);
    expect((await pages.next()).value).toHaveLength(50);
    await pages.return(undefined);
    // The reader fetches one page ahead, twice as large.
    expect(read).toEqual({ pages: 2, conversations: 150 });
  });

  it('gives each of many sources a small part of its memory', async () => {
    const { store, read } = storeOf([]);
    const sizes: number[] = [];
    const recording = {
      readPage: (...args: Parameters<ConversationStore['readPage']>) => {
        sizes.push(args[2]);
        return store.readPage(...args);
      },
    } as ConversationStore;
    const sources = Array.from({ length: 100 }, (_, index) => `t${index}`);
    expect(await idsOf(readInOrder(recording, { ...ALL, sources, statuses: ['closed'] }, null))).toEqual([]);
    expect(new Set(sizes)).toEqual(new Set([200]));
    expect(read.pages).toBe(100);
  });

  it('throws the error of a page that cannot be read', async () => {
    const store = { readPage: () => Promise.reject(new Error('connection lost')) } as unknown as ConversationStore;
    await expect(idsOf(readInOrder(store, ALL, null))).rejects.toThrow('connection lost');
  });
});
