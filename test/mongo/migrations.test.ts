import { fork } from 'node:child_process';
import { once } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { openContext } from '../../src/context.ts';
import { Database } from '../../src/mongo/database.ts';
import { COLLECTIONS, INDEXES, type Index } from '../../src/mongo/indexes.ts';
import { migrate, planMigrations, type SchemaTarget } from '../../src/mongo/migrate.ts';
import { MIGRATIONS, type Migration } from '../../src/mongo/migrations.ts';
import { requireSchema } from '../../src/mongo/schema-version.ts';
import { testConfig } from '../support/harness.ts';

const config = testConfig();
/** The schema version of this code. */
const NEWEST = MIGRATIONS.length;

const NOTHING = { changes: [], conflicts: [] };
/** The report of a run that finds nothing to do. */
const nothingAt = (version: number) => ({ from: version, to: version, migrations: [], repair: NOTHING });
const FAST = { lockMs: 600, waitMs: 10_000, pollMs: 20 };

let database: Database;
beforeEach(async () => {
  database = await Database.open(config.mongo);
});
afterEach(async () => {
  await database.command({ dropDatabase: 1 });
  await database.close();
});

async function collectionNames(): Promise<(string | undefined)[]> {
  return (await database.listCollections()).map(({ name }) => name);
}

/** Makes fake migrations that write down each run, and no indexes. */
function fakes(
  runs: string[],
  count: number,
  more: Partial<Migration> & { before?: (version: number) => Promise<void> } = {},
): SchemaTarget {
  const { before, ...fields } = more;
  const migrations = Array.from({ length: count }, (_, index) => ({
    version: index + 1,
    name: `fake ${index + 1}`,
    oldestCodeVersion: 1,
    documents: {
      change: `change ${index + 1}`,
      run: async () => {
        await before?.(index + 1);
        runs.push(`fake ${index + 1}`);
      },
    },
    ...fields,
  }));
  return { migrations, layout: {} };
}

describe('migrating an empty database', () => {
  it('creates every collection and every index, and a second run changes nothing', async () => {
    const report = await migrate(database);
    expect(report).toMatchObject({ from: 0, to: NEWEST });
    expect(report.migrations.map(({ version }) => version)).toEqual(MIGRATIONS.map((_, index) => index + 1));
    const layout = report.migrations.flatMap(({ changes }) => changes.filter((each) => /^(create|build) /.test(each)));
    expect(layout).toHaveLength(COLLECTIONS.length + INDEXES.length);
    expect(await collectionNames()).toEqual(expect.arrayContaining([...COLLECTIONS]));
    expect(await planMigrations(database)).toEqual(nothingAt(NEWEST));
    expect(await migrate(database)).toEqual(nothingAt(NEWEST));
  });

  it('writes nothing in a dry run', async () => {
    const { migrations } = await planMigrations(database);
    expect(migrations[0]?.changes).toContain('build index assignee_in_order of conversations');
    expect(await collectionNames()).toEqual([]);
  });

  it('is required before a worker starts, and opening the database creates nothing', async () => {
    await expect(openContext(config)).rejects.toMatchObject({
      code: 'schema-outdated',
      message: 'the database has no schema yet: run `baton migrate`',
    });
    expect(await collectionNames()).toEqual([]);
    await migrate(database);
    await (await openContext(config)).close();
  });
});

describe('collections and indexes of another program', () => {
  it('refuses a view in the place of a collection, and names the remedy', async () => {
    await database.createCollection('people');
    await database.command({ create: 'texters', viewOn: 'people', pipeline: [] });
    await expect(migrate(database)).rejects.toMatchObject({
      code: 'schema-conflict',
      message: 'texters is a view: use another database, or rename it and run `baton migrate` again',
    });
    await database.command({ drop: 'texters' });
  });

  it('builds only the index that is missing, although the schema has its version already', async () => {
    await migrate(database);
    await database.operations.dropIndex('campaign_newest_first');
    const report = await migrate(database);
    expect(report).toMatchObject({
      migrations: [],
      repair: { changes: ['build index campaign_newest_first of operations'], conflicts: [] },
    });
    expect(await database.operations.indexExists('campaign_newest_first')).toBe(true);
  });

  it('accepts an equal index under another name if no query names it as a hint', async () => {
    await database.operations.createIndex({ campaignId: 1, state: 1, sequence: 1 }, { name: 'other_name' });
    await migrate(database);
    expect(await planMigrations(database)).toMatchObject({ migrations: [], repair: NOTHING });
    expect(await database.operations.indexExists('campaign_in_sequence')).toBe(false);
  });

  it('refuses an index with the same keys and other options before it builds anything, and names the remedy', async () => {
    await database.conversations.createIndex({ campaignId: 1, 'contact.phone': 1 }, { name: 'not_unique' });
    const conflict =
      'index not_unique of conversations has the keys of contact_by_phone and other options: ' +
      'drop it with db.conversations.dropIndex("not_unique"), then run `baton migrate` again';
    await expect(migrate(database)).rejects.toMatchObject({ code: 'schema-conflict', message: conflict });
    const { migrations, repair } = await planMigrations(database);
    expect(migrations.flatMap(({ conflicts }) => conflicts)).toEqual([conflict]);
    expect(repair).toEqual(NOTHING);
    expect(await database.conversations.indexExists('assignee_in_order')).toBe(false);
    await database.conversations.dropIndex('not_unique');
    await migrate(database);
  });
});

describe('a migration that changes the indexes of the version before', () => {
  /** The version after the newest one. It has one index in another form. */
  const next = NEWEST + 1;
  const changed: Index = {
    collection: 'operations',
    name: 'state_in_order',
    keys: { state: 1, acceptedAt: -1, _id: 1 },
    isHint: true,
  };
  function upgrade(built: Index, drops: Migration['drops'] = []): SchemaTarget {
    const last: Migration = { version: next, name: 'change an index', oldestCodeVersion: 1, drops, indexes: [built] };
    const kept = INDEXES.filter(({ name }) => name !== built.name && !drops.some((drop) => drop.name === name));
    const layout = { collections: COLLECTIONS, indexes: [...kept, built] };
    return { migrations: [...MIGRATIONS, last], layout };
  }

  it('replaces an index under its name, and the dry run lists the same changes', async () => {
    await migrate(database);
    const target = upgrade(changed, [{ collection: 'operations', name: changed.name }]);
    const expected = {
      from: NEWEST,
      to: next,
      migrations: [
        {
          version: next,
          name: 'change an index',
          changes: ['drop index state_in_order of operations', 'build index state_in_order of operations'],
          conflicts: [],
        },
      ],
      repair: NOTHING,
    };
    expect(await planMigrations(database, target)).toEqual(expected);
    expect(await migrate(database, { target })).toEqual(expected);
    const built = (await database.operations.indexes()).find(({ name }) => name === changed.name);
    expect(Object.entries(built?.key ?? {})).toEqual(Object.entries(changed.keys));
    expect(await migrate(database, { target })).toEqual(nothingAt(next));
  });

  it('builds a changed index under a new name beside the old one, which the previous version still uses', async () => {
    await migrate(database);
    const renamed: Index = {
      collection: 'conversations',
      name: 'claimable_in_order_2',
      keys: { campaignId: 1, waitingSince: 1, _id: 1 },
      where: { assigneeId: null, status: 'not-started' },
      isHint: true,
    };
    const { migrations } = await planMigrations(database, upgrade(renamed));
    expect(migrations).toMatchObject([
      { version: next, changes: ['build index claimable_in_order_2 of conversations'], conflicts: [] },
    ]);
  });

  it('runs after the versions before on an empty database, and leaves only the indexes of the last one', async () => {
    const target = upgrade(changed, [{ collection: 'operations', name: changed.name }]);
    expect(await migrate(database, { target })).toMatchObject({ from: 0, to: next, repair: NOTHING });
    expect(await migrate(database, { target })).toEqual(nothingAt(next));
  });

  it('is not undone by `baton migrate` of the previous version', async () => {
    await migrate(database, { target: upgrade(changed, [{ collection: 'operations', name: changed.name }]) });
    expect(await migrate(database)).toEqual(nothingAt(next));
  });
});

describe('the steps of a migration', () => {
  it('run in order, once, with a log line before and after the creation of the schema and each later step', async () => {
    const runs: string[] = [];
    const lines: string[] = [];
    const log = (line: string): void => void lines.push(line.replace(/\d+ ms/, 'n ms'));
    await migrate(database, { target: fakes(runs, 2), log });
    await migrate(database, { target: fakes(runs, 2), log });
    await migrate(database, { target: fakes(runs, 3), log });
    expect(runs).toEqual(['fake 1', 'fake 2', 'fake 3']);
    expect(lines).toEqual(
      ['creation of the schema, version 2', 'migration 3 (fake 3)'].flatMap((step) => [
        `${step}: start`,
        `${step}: done after n ms`,
      ]),
    );
    expect(await database.schema.findOne()).toMatchObject({
      version: 3,
      applied: [{ version: 1 }, { version: 2 }, { version: 3 }],
    });
  });

  it('run once when two processes migrate at the same time', async () => {
    const runs: string[] = [];
    const waits: string[] = [];
    const target = fakes(runs, 2, { before: () => sleep(300) });
    const options = { target, times: FAST, log: (line: string) => void waits.push(line) };
    await Promise.all([migrate(database, options), migrate(database, options)]);
    expect(runs).toEqual(['fake 1', 'fake 2']);
    expect(waits.filter((line) => line.includes('waiting'))).toHaveLength(1);
  });

  it('are refused with migration-running when another process keeps the lock', async () => {
    const slow = fakes([], 1, { before: () => sleep(1_500) });
    const first = migrate(database, { target: slow, times: FAST });
    await sleep(200);
    const second = migrate(database, { target: slow, times: { ...FAST, waitMs: 200 } });
    await expect(second).rejects.toMatchObject({ code: 'migration-running' });
    await first;
  });

  it('continue with the step that failed', async () => {
    const runs: string[] = [];
    const failing = fakes(runs, 3, {
      before: (version) => (version === 2 ? Promise.reject(new Error('connection lost')) : Promise.resolve()),
    });
    await expect(migrate(database, { target: failing })).rejects.toThrow('connection lost');
    await migrate(database, { target: fakes(runs, 3) });
    expect(runs).toEqual(['fake 1', 'fake 2', 'fake 3']);
  });

  it('report the error of the step even if the lock cannot be released', async () => {
    const failing = fakes([], 1, {
      before: async () => {
        await database.close();
        throw new Error('the step failed');
      },
    });
    await expect(migrate(database, { target: failing })).rejects.toThrow('the step failed');
    database = await Database.open(config.mongo);
  });

  it('continue where a process was killed in the middle of a step, once its lock has run out', async () => {
    const child = fork('test/support/killed-migration.ts', [config.mongo.uri], { execArgv: ['--import', 'tsx'] });
    expect(await once(child, 'exit')).toEqual([null, 'SIGKILL']);
    expect(await database.schema.findOne()).toMatchObject({
      version: 1,
      lock: { owner: expect.any(String) as string },
    });
    const runs: string[] = [];
    await migrate(database, { target: fakes(runs, 3), times: FAST });
    expect(runs).toEqual(['fake 2', 'fake 3']);
  });

  it('continue after the lock of a dead process has run out, and the lock does not block for ever', async () => {
    const runs: string[] = [];
    await migrate(database, { target: fakes(runs, 1) });
    const until = new Date(database.now().getTime() + 500);
    await database.schema.updateOne({ _id: 'schema' }, { $set: { lock: { owner: 'dead', until } } });
    await migrate(database, { target: fakes(runs, 2), times: FAST });
    expect(runs).toEqual(['fake 1', 'fake 2']);
    expect(database.now().getTime()).toBeGreaterThanOrEqual(until.getTime());
    expect(await database.schema.findOne()).not.toHaveProperty('lock');
  });

  it('are not recorded by a process that lost its lock', async () => {
    const stolen = fakes([], 1, {
      before: async () => {
        const lock = { owner: 'other', until: new Date(Date.now() + 60_000) };
        await database.schema.updateOne({ _id: 'schema' }, { $set: { lock } });
      },
    });
    await expect(migrate(database, { target: stolen })).rejects.toThrow('another process has taken over');
    expect(await database.schema.findOne()).toMatchObject({ version: 0, lock: { owner: 'other' } });
  });
});

describe('code and database of different versions', () => {
  it('refuses code that needs a newer schema, and names `baton migrate`', async () => {
    await migrate(database, { target: fakes([], 1) });
    await expect(requireSchema(database, fakes([], 2).migrations)).rejects.toMatchObject({
      code: 'schema-outdated',
      message: 'the database has schema version 1, and this code needs version 2: run `baton migrate`',
    });
  });

  it('lets the previous version work with a newer schema that still supports it', async () => {
    await migrate(database, { target: fakes([], 2) });
    await expect(requireSchema(database, fakes([], 1).migrations)).resolves.toBeUndefined();
    expect(await migrate(database, { target: fakes([], 1) })).toEqual(nothingAt(2));
  });

  it('refuses code that is older than the oldest version that the database supports', async () => {
    await migrate(database, { target: fakes([], 3, { oldestCodeVersion: 2 }) });
    const tooOld = {
      code: 'code-outdated',
      message:
        'this version of Baton is too old for the database: it supports schema version 1, and the database needs 2 or newer',
    };
    await expect(requireSchema(database, fakes([], 1).migrations)).rejects.toMatchObject(tooOld);
    await expect(migrate(database, { target: fakes([], 1) })).rejects.toMatchObject(tooOld);
    await expect(requireSchema(database, fakes([], 2).migrations)).resolves.toBeUndefined();
  });
});
