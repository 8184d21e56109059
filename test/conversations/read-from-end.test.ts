import { expect, it } from 'vitest';
import { readFromEnd } from '../../src/conversations/read-from-end.ts';
import type { Candidate, Position } from '../../src/domain/conversation.ts';

const SOURCES = 3_000;
const WANTED = 200;
const ASKED = { campaignId: 'c1', statuses: ['not-started'], operationId: 'op1' } as const;

it('a few givers among thousands of sources are read with few queries', async () => {
  const sources = Array.from({ length: SOURCES }, (_, at) => `t${at}`);
  const givers = sources.slice(0, 3);
  const found = new Map(givers.map((giver) => [giver, 0]));
  const limits: number[] = [];
  const store = {
    readPageBefore: ({ assigneeId = null }: { assigneeId?: string | null }, before: Position | null, limit: number) => {
      limits.push(limit);
      const from = (before?.waitingSince ?? WANTED) - 1;
      const count = Math.min(limit, from + 1);
      const page = Array.from({ length: count }, (_, at): Candidate => {
        const waitingSince = from - at;
        return { id: `${waitingSince}`, assigneeId, status: 'not-started', waitingSince, optedOut: false };
      });
      return Promise.resolve(page);
    },
  };
  const wanted = (source: string | null): number =>
    found.has(source ?? '') ? WANTED - (found.get(source ?? '') ?? 0) : 0;
  for await (const page of readFromEnd(store, { ...ASKED, sources, wanted })) {
    for (const { assigneeId } of page) found.set(assigneeId ?? '', (found.get(assigneeId ?? '') ?? 0) + 1);
  }
  expect([...found.values()]).toEqual([WANTED, WANTED, WANTED]);
  expect(limits).toEqual([WANTED, WANTED, WANTED]);
});
