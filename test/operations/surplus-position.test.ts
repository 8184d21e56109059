import { afterAll, beforeAll, expect, it } from 'vitest';
import type { Position } from '../../src/domain/conversation.ts';
import type { Stores } from '../../src/operations/ports.ts';
import { Harness, type Seeded } from '../support/harness.ts';
import { rawConversations } from '../support/raw.ts';
import { runToEnd } from '../support/run-operation.ts';

const OWN = 12;
const KEPT = 6;
const BATCH = 20;

let harness: Harness;
beforeAll(async () => {
  harness = await Harness.open();
});
afterAll(() => harness.close());

/** Returns stores that note where each page of a surplus begins. */
function watched(stores: Stores, begins: (Position | null)[]): Stores {
  const conversations = new Proxy(stores.conversations, {
    get(target, key): unknown {
      const member: unknown = Reflect.get(target, key);
      if (key !== 'readPageBefore') return typeof member === 'function' ? (member.bind(target) as unknown) : member;
      return (...args: Parameters<Stores['conversations']['readPageBefore']>) => {
        begins.push(args[1]);
        return target.readPageBefore(...args);
      };
    },
  });
  return { ...stores, conversations };
}

// With ten givers or more, the range of all assignees is read, in which moved conversations keep their places.
it.each([
  ['one range', 12],
  ['a range for each giver', 4],
])('a surplus is read on where the slice before has stopped (%s)', async (_ways, givers) => {
  const campaignId = await harness.seedCampaign(2 * givers);
  const own = (texter: number): Seeded[] =>
    Array.from({ length: OWN }, (_, at) => ({
      assigneeId: `t${texter + 1}`,
      waitedMs: (at * givers + texter) * 1_000,
    }));
  await harness.seedConversations(campaignId, Array.from({ length: givers }, (_, texter) => own(texter)).flat());
  const begins: (Position | null)[] = [];
  const request = {
    kind: 'reassign',
    operationId: harness.newId('op'),
    campaignId,
    from: 'everyone',
    to: 'everyone',
  } as const;
  const stores = watched(harness.context.stores, begins);
  const ended = await runToEnd(stores, { ...request, status: 'any' }, { batchConversationsMax: BATCH });
  expect(ended?.receipt).toMatchObject({ selected: givers * KEPT, moved: givers * KEPT, skipped: [] });
  const docs = [...(await rawConversations(harness, campaignId)).values()];
  for (let texter = 1; texter <= 2 * givers; texter += 1) {
    expect(docs.filter(({ assigneeId }) => assigneeId === `t${texter}`)).toHaveLength(KEPT);
  }
  const first = begins.findIndex((begin) => begin !== null);
  expect(first).toBeGreaterThan(0);
  expect(begins.slice(first)).not.toContain(null);
});
