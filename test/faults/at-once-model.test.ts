import fc from 'fast-check';
import { Types } from 'mongoose';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { STATUSES } from '../../src/domain/conversation.ts';
import type { Stores } from '../../src/operations/ports.ts';
import type { AnyRequest } from '../support/any-request.ts';
import { Harness, type Seeded } from '../support/harness.ts';
import { inParts } from '../support/intercepted-stores.ts';
import { rawBatches, rawConversations, rawOperation } from '../support/raw.ts';
import { runToEnd } from '../support/run-operation.ts';

const SEED = 4_242;
const RUNS = 150;
const TIMEOUT_MS = 180_000;
const LARGE = { batchConversationsMax: 500, short: false };
const RULES = { selfAssign: { enabled: true, openMax: 2, repliesMax: 1 } };

/** What another program has made of a conversation. */
const DAMAGES = {
  'has a known status': {},
  'is of a contact who opted out': { $set: { optedOut: true } },
  'has an unknown status': { $set: { status: 'weird' } },
  'says nothing about an opt-out': { $unset: { optedOut: '' } },
  'has no status': { $unset: { status: '' } },
} as const;

const texters = (...texterIds: [string, ...string[]]) => ({ texterIds });
const conversation = fc.record({
  assigneeId: fc.constantFrom(null, null, 't1', 't2', 't3', 'ghost'),
  status: fc.constantFrom(...STATUSES),
  damage: fc.oneof(
    { weight: 3, arbitrary: fc.constant('has a known status' as const) },
    { weight: 2, arbitrary: fc.constantFrom(...(Object.keys(DAMAGES) as (keyof typeof DAMAGES)[])) },
  ),
});
const status = fc.constantFrom('any' as const, 'not-started' as const, 'needs-reply' as const);
const from = fc.constantFrom('pool' as const, 'everyone' as const, texters('t1'), texters('t1', 't2'));
const request = fc.oneof(
  fc.record({
    kind: fc.constant('reassign' as const),
    from,
    to: fc.constantFrom('everyone' as const, texters('t1'), texters('t2', 't3'), { counts: { t1: 2, t3: 1 } }),
    status,
    spread: fc.constantFrom('even' as const, 'level' as const),
  }),
  fc.record({
    kind: fc.constant('reassign' as const),
    from,
    to: fc.constantFrom('everyone' as const, texters('t2', 't3')),
    status,
    count: fc.constantFrom(1, 3, 50),
  }),
  fc.record({
    kind: fc.constant('unassign' as const),
    from: fc.constantFrom('everyone' as const, texters('t1')),
    status,
    confirm: fc.constantFrom(1, 2, 5, 50),
  }),
);
const example = fc.record({
  conversations: fc.array(conversation, { minLength: 1, maxLength: 12 }),
  request,
  undoes: fc.boolean(),
  includeWorkedOn: fc.boolean(),
  rules: fc.constantFrom({}, RULES),
});
type Example = typeof example extends fc.Arbitrary<infer Value> ? Value : never;

let harness: Harness;
beforeAll(async () => {
  harness = await Harness.open();
});
afterAll(() => harness.close());

async function seed({ conversations, rules }: Example): Promise<{ campaignId: string; ids: string[] }> {
  const campaignId = await harness.seedCampaign(3, rules);
  const seeded = conversations.map(({ assigneeId, status: of }): Seeded => ({ assigneeId, status: of }));
  const ids = await harness.seedConversations(campaignId, seeded);
  for (const [place, { damage }] of conversations.entries()) {
    const update = DAMAGES[damage];
    const _id = new Types.ObjectId(ids[place]);
    if (Object.keys(update).length > 0)
      await harness.context.database.conversations.updateOne({ _id }, update as never);
  }
  return { campaignId, ids };
}

/** Runs an example, and returns everything that it has changed, with places instead of ids. */
async function outcomeOf(of: Example, stores: Stores): Promise<unknown> {
  const { campaignId, ids } = await seed(of);
  const operationId = harness.newId('op');
  const first = { ...of.request, operationId, campaignId } as AnyRequest;
  const placeOf = new Map(ids.map((id, place) => [id, `place ${place}`]));
  const toPlace = (_key: string, value: unknown): unknown =>
    value instanceof Types.ObjectId
      ? placeOf.get(value.toHexString())
      : typeof value === 'string'
        ? (placeOf.get(value) ?? value)
        : value;
  let shown = operationId;
  let thrown: unknown;
  try {
    await runToEnd(of.undoes ? harness.context.stores : stores, first, LARGE);
    if (of.undoes) {
      const moved = { campaignId, lastOperationId: operationId };
      await harness.context.database.conversations.updateMany(
        { ...moved, assigneeId: 't1' },
        { $set: { status: 'closed' } },
      );
      shown = harness.newId('undo');
      const { includeWorkedOn } = of;
      await runToEnd(
        stores,
        { kind: 'undo', operationId: shown, campaignId, undoes: operationId, includeWorkedOn },
        LARGE,
      );
    }
  } catch (error) {
    thrown = (error as { code?: unknown }).code ?? String(error);
  }
  const operation = await rawOperation(harness, shown).catch(() => undefined);
  const batches = (await rawBatches(harness, shown)).map(({ state, moves, skips }) => ({ state, moves, skips }));
  const credits = await harness.context.database.credits.findOne({ _id: campaignId });
  const docs = await rawConversations(harness, campaignId);
  const { receipt, state, error } = operation ?? {};
  // The database returns the sums of a receipt in any order.
  const sums = Object.entries(receipt ?? {}).map(([name, value]) => [name, inOrder(value)]);
  const assignees = ids.map((id) => docs.get(id)?.assigneeId);
  const all = { thrown, state, code: error?.code, sums, batches, credits: credits?.credits, assignees };
  return JSON.parse(
    JSON.stringify(all, toPlace)
      .replaceAll(shown, 'ID')
      .replaceAll(operationId, 'UNDONE')
      .replaceAll(campaignId, 'CAMPAIGN'),
  );
}

function inOrder(value: unknown): unknown {
  return Array.isArray(value) ? value.map((each) => JSON.stringify(each)).sort() : value;
}

it(
  'moves, counts and records the same at once as in parts, whatever the conversations are',
  { timeout: TIMEOUT_MS },
  async () => {
    for (const of of fc.sample(example, { numRuns: RUNS, seed: SEED })) {
      const { stores } = harness.context;
      const [whole, parts] = [await outcomeOf(of, stores), await outcomeOf(of, inParts(stores))];
      expect(whole, JSON.stringify(of)).toEqual(parts);
    }
  },
);
