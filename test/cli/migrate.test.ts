import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Database } from '../../src/mongo/database.ts';
import { Cli, cliEnv, spawnCli } from '../support/cli.ts';
import { testConfig } from '../support/harness.ts';

/** The steps build on each other: a database is empty, and is then migrated. */
describe('baton migrate', () => {
  const config = testConfig();
  const env = cliEnv(config);
  const cli = new Cli(env);
  let database: Database;

  beforeAll(async () => {
    database = await Database.open(config.mongo);
  });
  afterAll(async () => {
    await database.command({ dropDatabase: 1 });
    await database.close();
  });

  it('is requested by every command on an empty database, in one line, and nothing is created', async () => {
    const listed = await cli.run(['campaign', 'list']);
    expect(listed).toEqual({
      status: 2,
      out: '',
      err: 'baton: schema-outdated: the database has no schema yet: run `baton migrate`\n',
    });
    expect(await database.listCollections()).toEqual([]);
  });

  it('is requested by a worker on an empty database, in one log line, before it exits with 2', async () => {
    const worker = await spawnCli({ ...env, PATH: process.env['PATH'], BATON_LOG_LEVEL: 'info' }, ['worker']);
    expect(worker.status).toBe(2);
    const lines = worker.err.trim().split('\n');
    expect(lines.map((line) => JSON.parse(line) as unknown)).toEqual([
      expect.objectContaining({ code: 'schema-outdated', msg: 'the database has no schema yet: run `baton migrate`' }),
    ]);
    expect(await database.listCollections()).toEqual([]);
  });

  it('lists the changes in a dry run without making them', async () => {
    const ran = await cli.run(['migrate', '--dry-run']);
    expect(ran.status).toBe(0);
    expect(ran.out).toContain('The database has schema version 0. 1 migration to run, up to version 1:');
    expect(ran.out).toContain('   create collection conversations');
    expect(await database.listCollections()).toEqual([]);
  });

  it('migrates, with a line before and after each step, and has nothing to do the second time', async () => {
    const ran = await cli.run(['migrate']);
    expect(ran.out).toBe('The database has schema version 1. 1 migration completed.\n');
    expect(ran.err.replace(/\d+ ms/, 'n ms')).toBe(
      'baton: migration 1 (create the collections and indexes): start\n' +
        'baton: migration 1 (create the collections and indexes): done after n ms\n',
    );
    expect(await cli.json(['migrate'])).toEqual({ dryRun: false, from: 1, to: 1, migrations: [] });
    expect((await cli.run(['campaign', 'list'])).status).toBe(0);
  });

  it('is advised by doctor when an index is missing', async () => {
    await database.operations.dropIndex('campaign_in_sequence');
    const ran = await cli.run(['doctor']);
    expect(ran.out).toContain('missing: operations.campaign_in_sequence: run `baton migrate`');
    const report = await cli.json<{ migrations: { changes: string[] }[] }>(['migrate']);
    expect(report.migrations[0]?.changes).toEqual(['build index campaign_in_sequence of operations']);
  });
});
