import { afterAll, beforeAll, expect, it } from 'vitest';
import type { ClaimDoc } from '../../src/mongo/documents.ts';
import { WaitingReader } from '../../src/reconcile/waiting-reader.ts';
import { Harness } from '../support/harness.ts';

let harness: Harness;
beforeAll(async () => {
  harness = await Harness.open();
});
afterAll(() => harness.close());

it('the turns of waiting claims read each claim once, also when hundreds have the same deadline', async () => {
  const { database } = harness.context;
  const counts = [30, 250, 1, 40, 79];
  const docs = counts.flatMap((count, minute) =>
    Array.from({ length: count }, (_, at) => ({
      _id: `claim-${(at * 7) % count}-${minute}`,
      campaignId: 'c_1',
      request: { texterId: `t${minute}-${at}` },
      waiting: { sequence: at, until: new Date(Date.UTC(2026, 0, 1, 0, minute)) },
    })),
  );
  await database.claims.insertMany(docs as unknown as ClaimDoc[]);
  const reader = new WaitingReader(database);
  for (const turn of [1, 2]) {
    const read: string[] = [];
    for (let size = 100; size === 100;) {
      const page = await reader.next();
      read.push(...page.map(({ operationId }) => operationId));
      size = page.length;
    }
    expect(read.sort(), `turn ${turn}`).toEqual(docs.map(({ _id }) => _id).sort());
  }
});
