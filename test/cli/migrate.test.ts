import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Database } from '../../src/mongo/database.ts';
import { MIGRATIONS } from '../../src/mongo/migrations.ts';
import { Cli, cliEnv, spawnCli } from '../support/cli.ts';
import { testConfig } from '../support/harness.ts';

/** The steps build on each other: a database is empty, and is then migrated. */
const NEWEST = MIGRATIONS.length;

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
    expect(ran.out).toContain(`The database has schema version 0. ${NEWEST} steps to run, up to version ${NEWEST}:`);
    expect(ran.out).toContain('   create collection conversations');
    expect(await database.listCollections()).toEqual([]);
  });

  it('creates the schema of an empty database, with a line before and after, and has nothing to do the second time', async () => {
    const ran = await cli.run(['migrate']);
    expect(ran.out).toBe(`The database has schema version ${NEWEST}. ${NEWEST} steps completed.\n`);
    const creation = `baton: creation of the schema, version ${NEWEST}`;
    expect(ran.err.replaceAll(/\d+ ms/g, 'n ms')).toBe(`${creation}: start\n${creation}: done after n ms\n`);
    const nothing = { from: NEWEST, to: NEWEST, migrations: [], repair: { changes: [], conflicts: [] } };
    expect(await cli.json(['migrate'])).toEqual({ dryRun: false, ...nothing });
    expect((await cli.run(['campaign', 'list'])).status).toBe(0);
  });

  it('is advised by doctor when an index is missing', async () => {
    await database.operations.dropIndex('campaign_in_sequence');
    const ran = await cli.run(['doctor']);
    expect(ran.out).toContain('missing: operations.campaign_in_sequence: create them with `baton migrate`');
    const report = await cli.json<{ repair: { changes: string[] } }>(['migrate']);
    expect(report.repair.changes).toEqual(['build index campaign_in_sequence of operations']);
  });

  it('lists an index of another program as a problem in a dry run, with the exit status of a refused run', async () => {
    await database.operations.dropIndex('state_in_order');
    await database.operations.createIndex({ state: 1 }, { name: 'state_in_order' });
    const planned = await cli.run(['migrate', '--dry-run']);
    expect(planned.status).toBe(2);
    expect(planned.out).toContain(
      "   problem: index state_in_order of operations differs from Baton's: " +
        'drop it with db.operations.dropIndex("state_in_order"), then run `baton migrate` again\n' +
        '`baton migrate` changes nothing until the problems are solved.\n',
    );
    const ran = await cli.run(['migrate']);
    expect(ran.status).toBe(2);
    expect(ran.err).toContain('baton: schema-conflict: index state_in_order of operations differs');
  });
});
