import { describe, expect, it } from 'vitest';
import { DamagedRecord } from '../../src/mongo/stored-values.ts';
import { GroupedReads } from '../../src/http/grouped-reads.ts';

interface Doc {
  readonly id: string;
  readonly version: number;
}

function readsOf(docs: Map<string, number>): { readonly reads: GroupedReads<Doc>; readonly queries: string[][] } {
  const queries: string[][] = [];
  const readAll = async (ids: readonly string[]): Promise<Doc[]> => {
    queries.push([...ids]);
    const found = ids.flatMap((id) => {
      const version = docs.get(id);
      return version === undefined ? [] : [{ id, version }];
    });
    return new Promise((resolve) => setImmediate(() => resolve(found)));
  };
  return { reads: new GroupedReads(readAll, ({ id }) => id), queries };
}

describe('reads that begin in the same turn of the event loop', () => {
  it('take one query, which asks for each document once', async () => {
    const { reads, queries } = readsOf(new Map([['a', 1]]));
    const found = await Promise.all([reads.find('a'), reads.find('b'), reads.find('a')]);
    expect(found).toEqual([{ id: 'a', version: 1 }, undefined, { id: 'a', version: 1 }]);
    expect(queries).toEqual([['a', 'b']]);
  });

  it('are split when there are very many', async () => {
    const { reads, queries } = readsOf(new Map());
    await Promise.all(Array.from({ length: 250 }, (_, index) => reads.find(String(index))));
    expect(queries.map((ids) => ids.length)).toEqual([100, 100, 50]);
  });

  it('are not joined by a read that begins after their query', async () => {
    const docs = new Map([['a', 1]]);
    const { reads, queries } = readsOf(docs);
    const before = reads.find('a');
    while (queries.length === 0) await new Promise(setImmediate);
    docs.set('a', 2);
    expect(await reads.find('a')).toMatchObject({ version: 2 });
    expect(await before).toMatchObject({ version: 1 });
  });

  it('fail alone when their document is damaged', async () => {
    const damaged = new DamagedRecord('operation', 'b', new TypeError('no list'));
    const reads = new GroupedReads<Doc>(
      (ids) => Promise.resolve(ids.map((id) => (id === 'b' ? damaged : { id, version: 1 }))),
      ({ id }) => id,
    );
    const outcomes = await Promise.allSettled(['a', 'b', 'c'].map((id) => reads.find(id)));
    expect(outcomes).toMatchObject([{ value: { id: 'a' } }, { reason: damaged }, { value: { id: 'c' } }]);
  });

  it('all fail with their query, and the next one is not affected', async () => {
    let queries = 0;
    const reads = new GroupedReads<Doc>(
      (ids) => {
        if ((queries += 1) === 1) return Promise.reject(new Error('the database is away'));
        return Promise.resolve(ids.map((id) => ({ id, version: 1 })));
      },
      ({ id }) => id,
    );
    const outcomes = await Promise.allSettled([reads.find('a'), reads.find('b')]);
    expect(outcomes.map(({ status }) => status)).toEqual(['rejected', 'rejected']);
    expect(await reads.find('a')).toMatchObject({ id: 'a' });
  });
});
