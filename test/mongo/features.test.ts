import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from 'vitest';
import { startServer, type DocumentDbServer } from '../../dev/documentdb-server/server.js';
import { withDatabase } from '../../dev/services/environment-services.ts';
import type { Check } from '../../src/cli/doctor/check.ts';
import { Database } from '../../src/mongo/database.ts';
import { postgresAddress } from '../dev/documentdb-server/support.ts';
import { Cli, cliEnv } from '../support/cli.ts';
import { Harness } from '../support/harness.ts';
import { WorkerProcess } from '../support/worker-process.ts';

const NAMES = ['isolation', 'snapshot reads', 'guarded writes', 'killed processes'];

interface Doctor {
  readonly status: number;
  /** The checks by their names. */
  readonly checks: ReadonlyMap<string, Check>;
}

async function doctor(env: NodeJS.ProcessEnv): Promise<Doctor> {
  const { status, out } = await new Cli(env).run(['doctor', '--json']);
  const { checks } = JSON.parse(out) as { checks: Check[] };
  return { status, checks: new Map(checks.map((check) => [check.name, check])) };
}

let harness: Harness;
beforeAll(async () => {
  harness = await Harness.open();
});
afterAll(() => harness.close());
afterEach(() => vi.restoreAllMocks());

const documentsOf = (name: string) => harness.context.database.client.db().collection(name).find().toArray();

describe('baton doctor', () => {
  it('tries each feature on the server, and leaves nothing behind', async () => {
    const before = await Promise.all(['schema', 'processes', 'conversations'].map(documentsOf));
    const { status, checks } = await doctor(cliEnv(harness.config));
    expect(status).toBe(0);
    for (const name of NAMES) expect(checks.get(name)).toMatchObject({ outcome: 'ok' });
    expect(checks.get('majority writes')?.found).toMatch(/^\d+ ms$/);
    expect(await Promise.all(['schema', 'processes', 'conversations'].map(documentsOf))).toEqual(before);
  });

  it.each([
    [true, 'sharded: conversations, batches', 'fail'],
    [new Error('not authorized'), 'unknown', 'warn'],
  ])('reports sharded collections of a cluster whose answer is %s', async (answer, found, outcome) => {
    // eslint-disable-next-line @typescript-eslint/unbound-method -- called with the database it is called on
    const { command: original } = Database.prototype;
    vi.spyOn(Database.prototype, 'command').mockImplementation(async function (this: Database, command) {
      const reply = await original.call(this, command);
      if ('hello' in command) return { ...reply, msg: 'isdbgrid' };
      if (!('collStats' in command)) return reply;
      if (answer instanceof Error) throw answer;
      return { ...reply, sharded: ['conversations', 'batches'].includes(command['collStats'] as string) };
    });
    const { checks } = await doctor(cliEnv(harness.config));
    expect(checks.get('sharding')).toMatchObject({ outcome, found });
  });
});

const address = postgresAddress();

describe.skipIf(address === undefined)('on a server without a feature,', () => {
  let server: DocumentDbServer;
  let own: Database;
  let env: NodeJS.ProcessEnv;
  beforeAll(async () => {
    const postgres = { host: '127.0.0.1', port: 0, ...address, user: 'postgres', database: 'postgres' };
    server = await startServer({ port: 0, postgres: { ...postgres, connectionsMax: 12 } });
    const { mongo } = harness.config;
    const uri = withDatabase(server.uri, new URL(mongo.uri).pathname.slice(1));
    own = await Database.open({ ...mongo, uri });
    env = { ...cliEnv(harness.config), MONGODB_URI: uri };
  });
  afterAll(async () => {
    await own.close();
    await server.close();
  });
  const configure = (name: string, mode: 'alwaysOn' | 'off', data: object = {}) =>
    own.client.db('admin').command({ configureFailPoint: name, mode, data });
  afterEach(async () => {
    for (const name of ['ignoreTransactions', 'ignoreSnapshots', 'failCommand']) await configure(name, 'off');
  });

  it('a worker and doctor refuse transactions that are only pretended', async () => {
    await configure('ignoreTransactions', 'alwaysOn');
    const { status, checks } = await doctor(env);
    expect(status).toBe(1);
    const found = 'the server only pretends to have transactions: a write was visible before its commit';
    expect(checks.get('isolation')).toMatchObject({ outcome: 'fail', found });
    const { code, log } = await WorkerProcess.begin(harness, { MONGODB_URI: env['MONGODB_URI'] }, {}).gone();
    expect(code).toBe(2);
    const lines = log.trim().split('\n');
    expect(lines).toHaveLength(1);
    expect(JSON.parse(lines[0] ?? '')).toMatchObject({
      code: 'bad-config',
      msg: expect.stringContaining('MONGODB_URI names a server that only pretends to have transactions') as string,
    });
    expect(await documentsOf('schema')).toHaveLength(1);
  });

  it('doctor fails when a snapshot outside of transactions shows later writes', async () => {
    await configure('ignoreSnapshots', 'alwaysOn');
    const { status, checks } = await doctor(env);
    expect(status).toBe(1);
    expect(checks.get('snapshot reads')).toMatchObject({
      outcome: 'fail',
      found: 'the server shows a write that came after the snapshot',
    });
    expect(checks.get('isolation')).toMatchObject({ outcome: 'ok' });
  });

  it('doctor warns when the sessions of killed processes cannot be ended', async () => {
    await configure('failCommand', 'alwaysOn', { failCommands: ['killSessions'], errorCode: 13 });
    const { status, checks } = await doctor(env);
    expect(status).toBe(0);
    expect(checks.get('killed processes')).toMatchObject({
      outcome: 'warn',
      found: expect.stringMatching(/^the server refuses it: /) as string,
      todo: expect.stringContaining('set transactionLifetimeLimitSeconds to 10') as string,
    });
  });

  it('doctor says that the user may not write, and shows what it may read', async () => {
    await configure('failCommand', 'alwaysOn', { failCommands: ['insert'], errorCode: 13 });
    const { status, checks } = await doctor(env);
    expect(status).toBe(1);
    expect(checks.get('rights')).toMatchObject({ outcome: 'fail' });
    expect(checks.get('indexes')).toMatchObject({ outcome: 'ok' });
  });

  it('doctor warns when a write by ids is not planned over the ids', async () => {
    // eslint-disable-next-line @typescript-eslint/unbound-method -- called with the database it is called on
    const { command: original } = Database.prototype;
    vi.spyOn(Database.prototype, 'command').mockImplementation(async function (this: Database, command) {
      if (!('explain' in command)) return original.call(this, command);
      return { queryPlanner: { winningPlan: { stage: 'FETCH', inputStage: { indexName: 'pool_in_order' } } } };
    });
    expect((await doctor(env)).checks.get('guarded writes')).toMatchObject({
      outcome: 'warn',
      found: 'the server finds conversations by their ids through the index pool_in_order',
    });
  });
});
