import type { mongo } from 'mongoose';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { viewSenders } from '../../src/conversations/index.ts';
import { Harness } from '../support/harness.ts';
import { SentCommands } from '../support/sent-commands.ts';

let harness: Harness;
let commands: SentCommands;
let campaignId: string;
beforeAll(async () => {
  harness = await Harness.open();
  commands = await SentCommands.open(harness);
  campaignId = await harness.seedCampaign(2);
  await harness.seedConversations(campaignId, [{ assigneeId: 't1' }, { assigneeId: 't1', optedOut: true }, {}]);
});
afterAll(async () => {
  await commands.context.close();
  await harness.close();
});

const countsOf = (sent: readonly mongo.Document[]): mongo.Document[] =>
  sent.filter(({ aggregate }) => aggregate === 'conversations');

describe('counts of conversations', () => {
  it('of the senders view name the moment of the first one', async () => {
    const sent = countsOf(await commands.during((context) => viewSenders(context, campaignId)));
    expect(sent).toHaveLength(3);
    expect(sent[0]).toMatchObject({ readConcern: { level: 'snapshot' } });
    const times = sent.slice(1).map(({ readConcern }) => (readConcern as mongo.Document)['atClusterTime'] as unknown);
    expect(times[0]).toMatchObject({ _bsontype: 'Timestamp' });
    expect(times[1]).toEqual(times[0]);
  });

  it('that must agree see none of the changes after the first count', async () => {
    const { conversations } = harness.context.stores;
    const { database } = harness.context;
    const counted = await conversations.atOneMoment(async (moment) => {
      const before = await moment.count(campaignId, ['t1'], ['not-started']);
      await database.conversations.updateMany({ campaignId, assigneeId: 't1' }, { $set: { assigneeId: 't2' } });
      return { before, after: await moment.count(campaignId, ['t1'], ['not-started']) };
    });
    expect(counted).toEqual({ before: 2, after: 2 });
    expect(await conversations.count(campaignId, ['t1'], ['not-started'])).toBe(0);
  });

  it('read a snapshot each when they stand alone', async () => {
    const sent = await commands.during(async ({ stores: { conversations } }) => {
      await conversations.count(campaignId, ['t1', null], ['not-started']);
      await conversations.countNotMoved(campaignId, ['t1'], ['not-started'], 'op_x');
      await conversations.countByAssignee(campaignId);
    });
    expect(countsOf(sent)).toHaveLength(3);
    for (const each of countsOf(sent)) expect(each).toMatchObject({ readConcern: { level: 'snapshot' } });
  });
});
