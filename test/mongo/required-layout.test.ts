import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from 'vitest';
import { Database } from '../../src/mongo/database.ts';
import { INDEXES } from '../../src/mongo/indexes.ts';
import { planStep, specOf } from '../../src/mongo/layout-plan.ts';
import { migrate } from '../../src/mongo/migrate.ts';
import { requireLayout } from '../../src/mongo/required-layout.ts';
import { Cli, cliEnv } from '../support/cli.ts';
import { Harness } from '../support/harness.ts';
import { WorkerProcess } from '../support/worker-process.ts';

let harness: Harness;
let cli: Cli;
let database: Database;
beforeAll(async () => {
  harness = await Harness.open();
  cli = new Cli(cliEnv(harness.config));
  ({ database } = harness.context);
});
afterAll(() => harness.close());

const NOT_UNIQUE =
  "index campaign_lock of operations differs from Baton's: " +
  'drop it with db.operations.dropIndex("campaign_lock"), then run `baton migrate` again';

describe('an index that another program has changed', () => {
  afterEach(async () => {
    const indexes = await database.operations.indexes();
    if (indexes.some(({ name }) => name === 'campaign_lock')) await database.operations.dropIndex('campaign_lock');
    await migrate(database);
  });

  const whereLocked = { partialFilterExpression: { campaignLock: { $exists: true } } };
  const replaceLock = async (options: object): Promise<void> => {
    await database.operations.dropIndex('campaign_lock');
    await database.operations.createIndex({ campaignLock: 1 }, { name: 'campaign_lock', ...whereLocked, ...options });
  };

  it('makes a worker exit with 2 and one line that names the index and the remedy', async () => {
    await replaceLock({});
    const { code, log } = await WorkerProcess.begin(harness, {}, {}).gone();
    expect(code).toBe(2);
    expect(
      log
        .trim()
        .split('\n')
        .map((line) => JSON.parse(line) as unknown),
    ).toEqual([expect.objectContaining({ code: 'schema-conflict', msg: NOT_UNIQUE })]);
  });

  it('fails the check of doctor with the same line, and no command that reads', async () => {
    await replaceLock({});
    const doctor = await cli.run(['doctor']);
    expect(doctor.status).toBe(1);
    expect(doctor.out).toMatch(/^✗ indexes +a collection or index differs from Baton's: index campaign_lock/m);
    expect(doctor.out).toContain(NOT_UNIQUE);
    expect((await cli.run(['campaign', 'list'])).status).toBe(0);
  });

  it('is found when it has another partial filter', async () => {
    await replaceLock({ unique: true, partialFilterExpression: { campaignLock: { $gt: '' } } });
    await expect(requireLayout(database)).rejects.toMatchObject({ code: 'schema-conflict', message: NOT_UNIQUE });
  });

  // The development server builds no index with a collation.
  it.each([{ collation: { locale: 'en' } }, { sparse: true }, { hidden: true }])(
    'is found when it has %o',
    (options) => {
      const index = INDEXES.find(({ name }) => name === 'campaign_lock');
      if (!index) throw new Error('the index is not in the list');
      const found = { type: 'collection', options: {}, indexes: [{ ...specOf(index), ...options }] };
      expect(planStep(new Map([['operations', found]]), { indexes: [index] }).conflicts).toEqual([NOT_UNIQUE]);
    },
  );

  it('is named when it is missing', async () => {
    await database.operations.dropIndex('campaign_lock');
    await expect(requireLayout(database)).rejects.toMatchObject({
      code: 'schema-outdated',
      message: 'collections or indexes are missing: operations.campaign_lock: run `baton migrate`',
    });
  });
});

describe('a collection of another program with the name of one of Baton', () => {
  // The development server builds no collection with these options.
  it.each([
    ['collection texters has a collation', { type: 'collection', options: { collation: { locale: 'en' } } }],
    ['collection texters has a validator', { type: 'collection', options: { validator: { name: { $exists: true } } } }],
    ['collection texters has a capped', { type: 'collection', options: { capped: true } }],
    ['texters is a view', { type: 'view', options: { viewOn: 'people' } }],
    ['texters is a timeseries', { type: 'timeseries', options: {} }],
  ])('is refused, because %s', (problem, found) => {
    const state = new Map([['texters' as const, { ...found, indexes: [] }]]);
    const remedy = 'use another database, or rename it and run `baton migrate` again';
    expect(planStep(state, { collections: ['texters'] }).conflicts).toEqual([`${problem}: ${remedy}`]);
  });

  it('fails the check of doctor', async () => {
    const original = database.listCollections.bind(database);
    vi.spyOn(Database.prototype, 'listCollections').mockImplementation(async () =>
      (await original()).map((info) => (info.name === 'texters' ? { ...info, options: { collation: {} } } : info)),
    );
    const doctor = await cli.run(['doctor']);
    vi.restoreAllMocks();
    expect(doctor.status).toBe(1);
    expect(doctor.out).toContain('collection texters has a collation');
  });
});

describe('a database with all indexes', () => {
  it('is accepted without a command that needs more rights than reading', async () => {
    const commands = vi.spyOn(Database.prototype, 'command');
    const created = vi.spyOn(Database.prototype, 'createCollection');
    await requireLayout(database);
    await migrate(database);
    expect(commands.mock.calls.filter(([command]) => !('listIndexes' in command))).toEqual([]);
    expect(created).not.toHaveBeenCalled();
    vi.restoreAllMocks();
  });

  it('is accepted when the user may not list the indexes', async () => {
    const denied = Object.assign(new Error('not authorized'), { code: 13 });
    vi.spyOn(Database.prototype, 'listCollections').mockRejectedValue(denied);
    await expect(requireLayout(database)).resolves.toBeUndefined();
    vi.restoreAllMocks();
  });
});
