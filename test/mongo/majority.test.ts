import mongoose from 'mongoose';
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from 'vitest';
import { Database } from '../../src/mongo/database.ts';
import { isDatabaseAway } from '../../src/mongo/server-errors.ts';
import { Cli, cliEnv } from '../support/cli.ts';
import { Harness } from '../support/harness.ts';
import { runToEnd } from '../support/run-operation.ts';
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
afterEach(() => vi.restoreAllMocks());

const WRITES = ['insert', 'update', 'delete', 'findAndModify', 'commitTransaction'];

describe('a write', () => {
  it('waits for the majority with a time limit, in a transaction too', async () => {
    const campaignId = await harness.seedCampaign(2);
    await harness.seedConversations(campaignId, [{}, {}, {}]);
    const to = { texterIds: ['t1', 't2'] };
    const asked = { kind: 'reassign', operationId: harness.newId('op'), campaignId, from: 'pool', to } as const;
    const sent = await commands.during(({ stores }) =>
      runToEnd(stores, { ...asked, status: 'any' }, { batchConversationsMax: 2, batchesInFlightMax: 1 }),
    );
    const waiting = sent.filter((command) => {
      const isPart = command['autocommit'] === false && command['commitTransaction'] === undefined;
      return !isPart && WRITES.some((name) => name in command);
    });
    expect(waiting.length).toBeGreaterThan(5);
    for (const each of waiting) expect(each['writeConcern']).toMatchObject({ w: 'majority', wtimeout: 10_000 });
  });

  it('that the majority has not confirmed in time counts as one without a database', () => {
    const { MongoServerError, MongoServerSelectionError } = mongoose.mongo;
    expect(isDatabaseAway(new MongoServerError({ code: 64, errmsg: 'waiting for replication timed out' }))).toBe(true);
    const selection = new MongoServerSelectionError('no primary', {} as never);
    expect(isDatabaseAway(new Error('a claim failed', { cause: selection }))).toBe(true);
    expect(isDatabaseAway(new MongoServerError({ code: 2, errmsg: 'bad value' }))).toBe(false);
  });
});

describe('baton doctor', () => {
  it.each([
    [0, ['a:1'], 0, /^! majority +0 s behind the primary, 1 arbiter: replace it/m],
    [90, [], 1, /^✗ majority +90 s behind the primary, 0 arbiters: every write waits for it/m],
    [1, [], 0, /^✓ majority +1 s behind the primary/m],
  ])('shows a majority that is %i s behind, and the arbiters %j', async (lagS, arbiters, status, line) => {
    // eslint-disable-next-line @typescript-eslint/unbound-method -- called with the database it is called on
    const { command: original } = Database.prototype;
    vi.spyOn(Database.prototype, 'command').mockImplementation(async function (this: Database, command) {
      const reply = await original.call(this, command);
      if (!('hello' in command)) return reply;
      const now = Date.now();
      const lastWrite = { lastWriteDate: new Date(now), majorityWriteDate: new Date(now - lagS * 1_000) };
      return { ...reply, arbiters, lastWrite };
    });
    const ran = await new Cli(cliEnv(harness.config)).run(['doctor']);
    expect(ran.out).toMatch(line);
    expect(ran.status).toBe(status);
  });
});
