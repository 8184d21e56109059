import mongoose from 'mongoose';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Database } from '../../src/mongo/database.ts';
import type { ProcessDoc } from '../../src/mongo/documents.ts';
import { Harness } from '../support/harness.ts';

let harness: Harness;
beforeAll(async () => {
  harness = await Harness.open();
});
afterAll(() => harness.close());

const interrupted = () => new mongoose.mongo.MongoServerError({ code: 11_601, errmsg: 'operation was interrupted' });

describe('a process that runs transactions', () => {
  it('records a session before the first write in it, and uses it again', async () => {
    const own = await Database.open(harness.config.mongo);
    const processes = harness.context.database.client.db().collection<ProcessDoc>('processes');
    const ids = new Set<string>();
    for (let at = 0; at < 3; at += 1) {
      await own.transaction(async (session) => {
        const id = session.id?.id;
        if (!id) throw new Error('the session has no id');
        expect(await processes.countDocuments({ sessions: id })).toBe(1);
        ids.add(id.toString('hex'));
      });
    }
    expect(ids.size).toBe(1);
    await own.close();
    expect(await processes.countDocuments()).toBe(0);
  });

  it('records a session again when another process deletes the record while a transaction is repeated', async () => {
    const own = await Database.open(harness.config.mongo);
    const processes = harness.context.database.client.db().collection<ProcessDoc>('processes');
    let attempts = 0;
    await own.transaction(async (session) => {
      const id = session.id?.id;
      if (!id) throw new Error('the session has no id');
      attempts += 1;
      if (attempts === 1) await processes.deleteMany({ sessions: id });
      if ((await processes.countDocuments({ sessions: id })) === 0) throw interrupted();
    });
    expect(attempts).toBeGreaterThan(1);
    await own.close();
  });

  it('repeats a transaction whose statement was interrupted', async () => {
    const { database } = harness.context;
    const campaignId = await harness.seedCampaign(1);
    let attempts = 0;
    await database.transaction(async (session) => {
      attempts += 1;
      await database.texters.updateOne({ campaignId }, { $set: { name: `attempt ${attempts}` } }, { session });
      if (attempts === 1) throw interrupted();
    });
    expect((await database.texters.findOne({ campaignId }))?.name).toBe('attempt 2');
  });
});
