import type { mongo } from 'mongoose';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Harness, many } from '../support/harness.ts';
import { inParts } from '../support/intercepted-stores.ts';
import { record, runToEnd } from '../support/run-operation.ts';
import type { AnyRequest } from '../support/any-request.ts';
import { SentCommands } from '../support/sent-commands.ts';

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

/** The commands of an operation that moves three conversations from the pool, after it was accepted. Seen: 24. */
const COMMANDS_OF_SMALL_MAX = 25;

describe('the receipt of an operation', () => {
  it('is added up in the transaction that stores it, because a read after a failover could miss the last batches', async () => {
    const campaignId = await harness.seedCampaign(2);
    await harness.seedConversations(campaignId, [{}, {}, {}]);
    const operationId = harness.newId('op');
    const to = { texterIds: ['t1', 't2'] };
    const request = { kind: 'reassign', operationId, campaignId, from: 'pool', to, status: 'any' } as const;
    const sent = await commands.during(({ stores }) =>
      runToEnd(stores, request, { batchConversationsMax: 2, batchesInFlightMax: 1 }),
    );
    const totals = sent.filter(({ aggregate }) => aggregate === 'batches');
    const [ending] = sent.filter((command) => JSON.stringify(command).includes('"receipt":{"selected"'));
    expect(totals).toHaveLength(1);
    expect(ending).toMatchObject({ findAndModify: 'operations', autocommit: false });
    const { lsid, txnNumber } = ending as { lsid: unknown; txnNumber: unknown };
    for (const each of totals) expect(each).toMatchObject({ lsid, txnNumber });
    expect(totals[0]).toMatchObject({ startTransaction: true, readConcern: { level: 'snapshot' } });
    const credits = sent.filter(({ find, update }) => find === 'credits' || update === 'credits');
    expect(credits.at(-2)).toMatchObject({ find: 'credits', txnNumber });
  });

  it('costs a small operation a known number of commands', async () => {
    const campaignId = await harness.seedCampaign(2);
    await harness.seedConversations(campaignId, many(200));
    const to = { texterIds: ['t1', 't2'] };
    const ids = { operationId: harness.newId('op'), campaignId };
    const request = { kind: 'reassign', ...ids, from: 'pool', to, status: 'any', count: 3 } as const;
    await record(harness.context.stores, request);
    const sent = await commands.during(({ stores }) => runToEnd(stores, request, { short: false }));
    expect(sent.filter(({ find }) => find === 'conversations')).toHaveLength(2);
    expect(sent.length).toBeLessThanOrEqual(COMMANDS_OF_SMALL_MAX);
  });

  it('reads the batches themselves only if it says what became of single conversations', async () => {
    const campaignId = await harness.seedCampaign(1);
    const ids = await harness.seedConversations(campaignId, [{}, {}, {}]);
    const to = { texterIds: ['t1'] as [string] };
    const one = () => ({ operationId: harness.newId('op'), campaignId, to });
    const all = { kind: 'reassign', ...one(), from: 'pool', status: 'any', count: 1 } as const;
    const conversations = ids.slice(-1).map((conversationId) => ({ conversationId }));
    const list = { kind: 'reassign-list', ...one(), conversations } as const;
    expect([await batchReadsAtEnd(all), await batchReadsAtEnd(list)]).toEqual([0, 1]);
  });
});

/** Counts the reads of batches in the transaction that ends an operation. */
async function batchReadsAtEnd(request: AnyRequest): Promise<number> {
  const sent = await commands.during(({ stores }) => runToEnd(inParts(stores), request));
  const ending = sent.find((command) => JSON.stringify(command).includes('"receipt":{"selected"'));
  const isOfEnding = ({ lsid, txnNumber }: mongo.Document): boolean =>
    JSON.stringify([lsid, txnNumber]) === JSON.stringify([ending?.['lsid'], ending?.['txnNumber']]);
  return sent.filter((command) => command['find'] === 'batches' && isOfEnding(command)).length;
}
