import type { mongo } from 'mongoose';
import { afterAll, beforeAll, expect, describe, it } from 'vitest';
import { serveClaims } from '../../src/claims/index.ts';
import { Harness, many } from '../support/harness.ts';
import { runToEnd } from '../support/run-operation.ts';
import { SentCommands } from '../support/sent-commands.ts';

describe('the database', () => {
  let harness: Harness;
  beforeAll(async () => {
    harness = await Harness.open();
  });
  afterAll(() => harness.close());

  it('writes and finds by ids through the index of ids alone', async () => {
    const moving = await harness.seedCampaign(2, { selfAssign: { enabled: true } });
    const ids = await harness.seedConversations(moving, many(40));
    const commands = await SentCommands.open(harness);
    const to = { texterIds: ['t1'] };
    const asked = { kind: 'reassign', operationId: harness.newId('op'), campaignId: moving, from: 'pool', to } as const;
    const sent = await commands.during(async ({ stores }) => {
      await runToEnd(
        stores,
        { ...asked, status: 'any', count: 9 },
        { batchConversationsMax: 5, batchesInFlightMax: 1 },
      );
      const claim = {
        kind: 'self-assign',
        operationId: harness.newId('cl'),
        campaignId: moving,
        texterId: 't2',
      } as const;
      await serveClaims(stores.claims, moving, [{ request: claim, requestHash: 'h', sendId: 's' }]);
      await stores.conversations.findMany(moving, ids);
      const one = { operationId: harness.newId('op'), campaignId: moving, conversationId: ids.at(-1) ?? '' };
      await runToEnd(stores, { kind: 'reassign-one', ...one, to: { texterIds: ['t2'] } });
    });
    const { database } = commands.context;
    const writes = sent.filter(({ update }) => update === 'conversations');
    const statements = writes.flatMap(({ updates }) => updates as mongo.Document[]);
    const finds = sent.filter(
      ({ find, filter }) => find === 'conversations' && JSON.stringify(filter).startsWith('{"_id":{"$in"'),
    );
    expect(statements.length).toBeGreaterThan(2);
    expect(finds.length).toBeGreaterThan(0);
    for (const { hint } of [...statements, ...finds]) expect(hint).toEqual({ _id: 1 });
    for (const each of statements) {
      const command = { explain: { update: 'conversations', updates: [each] }, verbosity: 'queryPlanner' };
      const plan = JSON.stringify(await database.command(command));
      expect(plan).toContain('"_id_"');
      expect(plan).not.toMatch(/COLLSCAN|_in_order/);
    }
    // The development server refuses a hint here.
    const single = sent.find(({ findAndModify }) => findAndModify === 'conversations');
    expect(single).toBeDefined();
    const query = { find: 'conversations', filter: single?.['query'] as unknown };
    const plan = JSON.stringify(await database.command({ explain: query, verbosity: 'queryPlanner' }));
    expect(plan).toContain('"_id_"');
    expect(plan).not.toMatch(/COLLSCAN|_in_order/);
    await commands.context.close();
  });
});
