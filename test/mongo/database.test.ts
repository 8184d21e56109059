import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { withDatabase } from '../../dev/services/environment-services.ts';
import { Database } from '../../src/mongo/database.ts';
import { testConfig } from '../support/harness.ts';

describe('the database connection, whatever its address says', () => {
  let database: Database;
  beforeAll(async () => {
    const { mongo } = testConfig();
    const separator = mongo.uri.includes('?') ? '&' : '?';
    const uri = `${mongo.uri}${separator}readPreference=secondaryPreferred&w=1`;
    database = await Database.open({ ...mongo, uri });
  });
  afterAll(() => database.close());

  it('reads from the primary and waits until a majority has each write', () => {
    const { readPreference, writeConcern, readConcern } = database.client.options;
    expect([readPreference.mode, writeConcern.w, readConcern.level]).toEqual(['primary', 'majority', 'majority']);
  });

  it('uses the database baton when the address names none', async () => {
    const { mongo } = testConfig();
    const unnamed = await Database.open({ ...mongo, uri: withDatabase(mongo.uri, '') });
    try {
      expect([unnamed.name, unnamed.campaigns.dbName]).toEqual(['baton', 'baton']);
    } finally {
      await unnamed.close();
    }
  });
});
