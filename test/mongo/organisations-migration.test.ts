import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createContext, type Context } from '../../src/context.ts';
import { migrate } from '../../src/mongo/migrate.ts';
import { MIGRATIONS } from '../../src/mongo/migrations.ts';
import { testConfig } from '../support/harness.ts';

/** The version of the schema before organisations. */
const BEFORE = 10;

let context: Context;
beforeAll(async () => {
  context = await createContext(testConfig());
});
afterAll(async () => {
  await context.database.command({ dropDatabase: 1 });
  await context.close();
});

describe('a database of the version before organisations', () => {
  it('gives its campaigns to the default organisation, and keeps everything else of them', async () => {
    const { database } = context;
    await migrate(database, { target: { migrations: MIGRATIONS.slice(0, BEFORE), layout: {} } });
    const createdAt = new Date(1_700_000_000_000);
    const selfAssign = { enabled: true, batchMax: 5, openMax: 9, repliesMax: null };
    const old = { name: 'Old', closed: false, country: 'US', selfAssign, operationCount: 3, texterCount: 2, createdAt };
    await database.campaigns.insertMany([
      { _id: 'c_old', ...old, waitingCount: 0 },
      { _id: 'acme:c_old', ...old, waitingCount: 0 },
    ]);

    await migrate(database);
    await migrate(database);

    const campaigns = await context.stores.campaigns.listOf('default', null, 10);
    expect(campaigns.map(({ campaignId }) => campaignId).sort()).toEqual(['acme:c_old', 'c_old']);
    expect(await context.stores.campaigns.listOf('acme', null, 10)).toEqual([]);
    const found = await database.campaigns.findOne({ _id: 'c_old' });
    expect(found).toEqual({ _id: 'c_old', ...old, waitingCount: 0, organisationId: 'default' });
    expect(await context.organisations.list()).toMatchObject([{ organisationId: 'default', name: 'Default' }]);
  });

  it('also lists a campaign that a worker of the version before creates after the migration', async () => {
    const createdAt = new Date();
    const fields = { name: 'Late', closed: false, country: null, operationCount: 0, waitingCount: 0, texterCount: 0 };
    const selfAssign = { enabled: false, batchMax: 5, openMax: 9, repliesMax: null };
    await context.database.campaigns.insertOne({ _id: 'c_late', ...fields, selfAssign, createdAt });
    const [newest] = await context.stores.campaigns.listOf('default', null, 1);
    expect(newest?.campaignId).toBe('c_late');
  });
});
