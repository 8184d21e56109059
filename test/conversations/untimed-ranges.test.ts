import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { ConversationRange, ConversationStore } from '../../src/conversations/ports.ts';
import type { Candidate, Position } from '../../src/domain/conversation.ts';
import { objectIds } from '../../src/mongo/documents.ts';
import { Harness } from '../support/harness.ts';
import { SentCommands } from '../support/sent-commands.ts';

const CONVERSATIONS = 24;
const PAGE = 5;
const DIRECTIONS = ['in-order', 'from-end'] as const;

type Direction = (typeof DIRECTIONS)[number];

let harness: Harness;
let commands: SentCommands;
beforeAll(async () => {
  harness = await Harness.open();
  commands = await SentCommands.open(harness);
});
afterAll(async () => {
  await commands.context.close();
  await harness.close();
});

/** The ids are in the order of selection, also after the times of some conversations are removed. */
async function seedRange(): Promise<{ range: ConversationRange; ids: string[] }> {
  const campaignId = await harness.seedCampaign(1);
  const seeded = Array.from({ length: CONVERSATIONS }, (_, at) => ({
    assigneeId: 't1',
    waitedMs: (CONVERSATIONS - at) * 1_000,
  }));
  const ids = await harness.seedConversations(campaignId, seeded);
  const { conversations } = harness.context.database;
  for (const { _id, waitingSince } of await conversations.find({ campaignId }).toArray()) {
    await conversations.updateOne({ _id }, { $set: { createdAt: waitingSince } });
  }
  return { range: { campaignId, assigneeId: 't1', status: 'not-started' }, ids };
}

/** Another program removes the times of some conversations. */
async function removeTimes(ids: readonly string[]): Promise<void> {
  await harness.context.database.conversations.updateMany(
    { _id: { $in: objectIds(ids) } },
    { $unset: { waitingSince: '' } },
  );
}

const everyThird = (ids: readonly string[]): string[] => ids.filter((_, at) => at % 3 === 0);

function readPage(
  store: ConversationStore,
  range: ConversationRange,
  position: Position | null,
  operationId: string,
  direction: Direction,
): Promise<readonly Candidate[]> {
  return direction === 'in-order'
    ? store.readPage(range, position, PAGE, operationId)
    : store.readPageBefore(range, position, PAGE, operationId);
}

async function readAll(range: ConversationRange, operationId: string, direction: Direction): Promise<string[]> {
  const { conversations } = harness.context.stores;
  const read: string[] = [];
  for (let page = await readPage(conversations, range, null, operationId, direction); page.length > 0;) {
    read.push(...page.map(({ id }) => id));
    page = await readPage(conversations, range, page.at(-1) ?? null, operationId, direction);
  }
  return direction === 'in-order' ? read : read.reverse();
}

describe('conversations that have lost their times', () => {
  it.each(DIRECTIONS)('are read by an operation after another one has found none in their range (%s)', async (way) => {
    const { range, ids } = await seedRange();
    expect(await readAll(range, 'op_first', way)).toEqual(ids);
    await removeTimes(everyThird(ids));
    expect(await readAll(range, 'op_second', way)).toEqual(ids);
  });

  it('are read in the next pass of an operation that found none in the pass before', async () => {
    const { range, ids } = await seedRange();
    expect(await readAll(range, 'op_passes', 'in-order')).toEqual(ids);
    await removeTimes(everyThird(ids));
    expect(await readAll(range, 'op_passes', 'in-order')).toEqual(ids);
  });
});

it.each(DIRECTIONS)('an operation looks once in each range for conversations without a time (%s)', async (way) => {
  const { range } = await seedRange();
  const first = await readPage(harness.context.stores.conversations, range, null, 'op_other', way);
  const { conversations } = commands.context.stores;
  const position = first.at(-1) ?? null;
  const finds: number[] = [];
  for (const operationId of ['op_one', 'op_one', 'op_two']) {
    const sent = await commands.during(() => readPage(conversations, range, position, operationId, way));
    finds.push(sent.filter((command) => command['find'] === 'conversations').length);
  }
  const [looking = 0, knowing = 0, other] = finds;
  expect(looking - knowing).toBe(1);
  expect(other).toBe(looking);
});
