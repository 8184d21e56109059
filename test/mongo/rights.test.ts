import { readFileSync } from 'node:fs';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { mongo } from 'mongoose';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { Database } from '../../src/mongo/database.ts';
import {
  MIGRATE_ACTIONS,
  missingRights,
  OWN_COLLECTIONS,
  WORK_ACTIONS,
  type Privilege,
} from '../../src/mongo/mongodb-rights.ts';
import { Cli, cliEnv } from '../support/cli.ts';
import { Harness, many, testConfig } from '../support/harness.ts';
import { until } from '../support/until.ts';

/** Commands that every user may send, or that concern only the sessions and cursors of the user. */
const FREE = new Set([
  ...['hello', 'ismaster', 'ping', 'buildInfo', 'connectionStatus', 'endSessions', 'killSessions'],
  ...['commitTransaction', 'abortTransaction', 'getMore', 'killCursors'],
]);

/** The actions that MongoDB's manual asks for each command. */
const ACTIONS: Readonly<Record<string, readonly string[]>> = {
  find: ['find'],
  aggregate: ['find'],
  distinct: ['find'],
  count: ['find'],
  insert: ['insert'],
  delete: ['remove'],
  findAndModify: ['find', 'update'],
  update: ['update'],
  listCollections: ['listCollections'],
  listIndexes: ['listIndexes'],
  create: ['createCollection'],
  createIndexes: ['createIndex'],
  dropIndexes: ['dropIndex'],
};

type Used = ReadonlySet<string>;

/** Returns the actions of a command, each with its collection, such as "find on conversations". */
function actionsOf(name: string, command: mongo.Document): string[] {
  if (FREE.has(name)) return [];
  // Explaining a command needs the rights of the command.
  if (name === 'explain') {
    const explained = command['explain'] as mongo.Document;
    return actionsOf(Object.keys(explained)[0] ?? '', explained);
  }
  const actions = ACTIONS[name];
  if (!actions) return [`unknown command ${name}`];
  const upserts = JSON.stringify(command).includes('"upsert":true') ? ['insert'] : [];
  const removes = command['remove'] === true ? ['remove'] : [];
  const target = typeof command[name] === 'string' ? command[name] : '';
  const lookups = JSON.stringify(command['pipeline'] ?? []).matchAll(/"\$lookup":\{[^}]*?"from":"(\w+)"/g);
  const joined = [...lookups].map(([, from = '']) => from);
  const own = [...actions, ...upserts, ...removes].map((action) => `${action} on ${target}`);
  return [...own, ...joined.map((from) => `find on ${from}`)];
}

/** Runs `work` and returns the actions of every command that any database of this process has sent meanwhile. */
async function usedDuring(work: () => Promise<void>): Promise<Used> {
  const used = new Set<string>();
  const open = Database.open.bind(Database);
  const spy = vi.spyOn(Database, 'open').mockImplementation(async (options) => {
    const uri = `${options.uri}&monitorCommands=true`;
    const database = await open({ ...options, uri });
    database.client.on('commandStarted', ({ commandName, command }) => {
      for (const action of actionsOf(commandName, command)) used.add(action);
    });
    return database;
  });
  await work().finally(() => spy.mockRestore());
  return used;
}

const allowed = (actions: readonly string[]): Used =>
  new Set(actions.flatMap((action) => [...OWN_COLLECTIONS, ''].map((collection) => `${action} on ${collection}`)));

function expectWithin(used: Used, actions: readonly string[]): void {
  const rights = allowed(actions);
  expect([...used].filter((action) => !rights.has(action))).toEqual([]);
}

describe('the documented rights on MongoDB', () => {
  const page = readFileSync(new URL('../../docs/rights.md', import.meta.url), 'utf8');
  let harness: Harness;
  let folder: string;
  beforeAll(async () => {
    harness = await Harness.open();
    folder = await mkdtemp(join(tmpdir(), 'baton-rights-'));
  });
  afterAll(async () => {
    await rm(folder, { recursive: true });
    await harness.close();
  });

  it('are those of the code', () => {
    const rowOf = (who: string): string => page.split('\n').find((line) => line.startsWith(`| ${who}`)) ?? '';
    const namesIn = (line: string): string[] => [...line.matchAll(/`(\w+)`/g)].map(([, name = '']) => name);
    const mongodb = page.slice(page.indexOf('## MongoDB'));
    const worker = mongodb.split('\n').find((line) => line.startsWith('| worker, command line'));
    expect(namesIn(worker ?? '').filter((name) => name !== 'readWrite')).toEqual([...WORK_ACTIONS]);
    expect(namesIn(rowOf('`baton migrate`')).filter((name) => name !== 'readWrite')).toEqual([...MIGRATE_ACTIONS]);
  });

  it('are enough for a worker and the commands with every kind of operation', async () => {
    const file = join(folder, 'contacts.csv');
    await writeFile(file, 'name,phone,status\nAda,+12025550101,needs-reply\nBo,+12025550102,not-started\n');
    const cli = new Cli(cliEnv(harness.config));
    const run = async (...args: string[]): Promise<void> => void (await cli.json(args));
    const used = await usedDuring(async () => {
      const worker = await harness.startWorker({ reconcileEveryMs: 100 });
      const { producer, context } = harness;
      await run('campaign', 'create', 'A', '--id', 'c_rights', '--self-assign');
      for (const name of ['Kevin', 'Rebecca']) await run('texter', 'add', 'c_rights', name, '--id', `t_${name}`);
      await run('import', 'c_rights', file);
      const ids = await harness.seedConversations('c_rights', many(12));
      const chosen = ids.slice(1, 3).map((conversationId) => ({ conversationId }));
      const campaign = { campaignId: 'c_rights' };
      const id = () => ({ operationId: harness.newId('op'), ...campaign });
      const toKevin = { to: { texterIds: ['t_Kevin'] as [string] } };
      const bulk = { ...id(), from: 'pool', to: 'everyone', status: 'any', count: 6 } as const;
      await (await producer.reassign(bulk)).result();
      await (await producer.reassignOne({ ...id(), ...toKevin, conversationId: ids[0] ?? '' })).result();
      await (await producer.reassignList({ ...id(), ...toKevin, conversations: chosen })).result();
      await (await producer.unassignOne({ ...id(), conversationId: ids[0] ?? '' })).result();
      await (await producer.unassignList({ ...id(), conversations: chosen })).result();
      await (await producer.unassign({ ...id(), from: { texterIds: ['t_Kevin'] }, status: 'any', count: 1 })).result();
      await (await producer.undo({ ...id(), undoes: bulk.operationId })).result();
      await (await producer.reassign({ ...id(), from: 'everyone', to: 'everyone', status: 'any' })).result();
      await (await producer.selfAssign({ ...id(), texterId: 't_Kevin', count: 2 })).result();
      await producer.preview({ kind: 'reassign', ...id(), from: 'pool', to: 'everyone', status: 'any' });
      await producer.get(bulk.operationId);
      await producer.moves({ operationId: bulk.operationId, ...campaign });
      const waiting = { ...id(), texterId: 't_Rebecca', count: 50, waitMs: 60_000 };
      await producer.selfAssign(waiting);
      await until('the claim to wait', () => harness.isWaiting(waiting.operationId));
      await producer.cancel({ operationId: waiting.operationId, ...campaign });
      await producer.optOut({ ...campaign, conversationId: ids[3] ?? '' });
      await producer.liftOptOut({ ...campaign, conversationId: ids[3] ?? '' });
      await producer.erase({ ...campaign, conversationId: ids[4] ?? '' });
      await run('export', 'c_rights', '--out', join(folder, 'out.csv'));
      for (const name of ['senders', 'conversations', 'operations', 'phones', 'repair']) await run(name, 'c_rights');
      await run('failed');
      await cli.run(['doctor']);
      await run('campaign', 'close', 'c_rights');
      const { operations } = context.database;
      const long = { acceptedAt: new Date(0), endedAt: new Date(0) };
      await operations.updateOne({ _id: bulk.operationId }, { $set: long });
      await until('a pass to expire it', async () => (await operations.findOne({ _id: bulk.operationId })) === null);
      await worker.close();
    });
    for (const action of ['find', 'insert', 'update', 'remove']) {
      expect(
        [...used].some((each) => each.startsWith(`${action} on `)),
        action,
      ).toBe(true);
    }
    expectWithin(used, WORK_ACTIONS);
  });

  it('are enough for `baton migrate`, also when it repairs an index', async () => {
    const config = testConfig();
    const cli = new Cli(cliEnv(config));
    const used = await usedDuring(async () => {
      await cli.json(['migrate']);
      const database = await Database.open(config.mongo);
      await database.operations.dropIndex('campaign_newest_first');
      await database.close();
      await cli.json(['migrate']);
    });
    for (const action of ['createCollection', 'createIndex', 'dropIndex']) {
      expect(
        [...used].some((each) => each.startsWith(`${action} on `)),
        action,
      ).toBe(true);
    }
    expectWithin(used, [...WORK_ACTIONS, ...MIGRATE_ACTIONS]);
    const database = await Database.open(config.mongo);
    await database.command({ dropDatabase: 1 });
    await database.close();
  });
});

describe('the rights of a user', () => {
  const all = [...WORK_ACTIONS, ...MIGRATE_ACTIONS];
  const on = (db: string, collection: string, actions: readonly string[]): Privilege => ({
    resource: { db, collection },
    actions,
  });
  const missing = (...privileges: Privilege[]) => missingRights(privileges, 'baton', WORK_ACTIONS);

  it.each<[string, Privilege[]]>([
    ['on all collections of the database', [on('baton', '', all)]],
    ['on every database', [on('', '', all)]],
    ['on everything', [{ resource: { anyResource: true }, actions: all }]],
    [
      'on each collection by name',
      [...OWN_COLLECTIONS.map((name) => on('baton', name, all)), on('baton', '', ['listCollections'])],
    ],
  ])('%s are complete', (_what, privileges) => {
    expect(missing(...privileges)).toEqual([]);
  });

  it('that are missing are named', () => {
    expect(missing()).toEqual([...WORK_ACTIONS]);
    expect(missing(on('other', '', all), { resource: { cluster: true }, actions: all })).toEqual([...WORK_ACTIONS]);
    const readOnly = on('baton', '', ['find', 'listCollections', 'listIndexes']);
    expect(missing(readOnly)).toEqual(['insert', 'update', 'remove']);
    const some = OWN_COLLECTIONS.filter((name) => name !== 'batches').map((name) => on('baton', name, all));
    expect(missing(readOnly, ...some)).toEqual(['insert on batches', 'update on batches', 'remove on batches']);
  });
});
