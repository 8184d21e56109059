import { spawn } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { cliEnv, spawnCli } from '../support/cli.ts';
import { phoneOf } from '../support/phones.ts';
import { Harness } from '../support/harness.ts';

const CONTACTS = 5_000;

/** Starts the command line as people and scripts do, and checks its streams and its exit code. */
describe('the command line as a process', () => {
  let harness: Harness;
  let env: NodeJS.ProcessEnv;
  let folder: string;

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'baton-process-'));
    harness = await Harness.open();
    env = cliEnv(harness.config);
  });
  afterAll(async () => {
    await harness.close();
    await rm(folder, { recursive: true });
  });

  it('exits with 0 and prints one JSON document on stdout', async () => {
    const made = await spawnCli(env, ['campaign', 'create', 'Rally', '--id', 'rally', '--json']);
    expect(made).toMatchObject({ status: 0, err: '' });
    expect(JSON.parse(made.out)).toMatchObject({ campaignId: 'rally', name: 'Rally', texterCount: 0 });
    expect((await spawnCli(env, ['texter', 'add', 'rally', 'Ann', '--id', 'ann'])).status).toBe(0);
  });

  it('imports a file and stdin, and reports bad rows with their line numbers', async () => {
    const rows = Array.from({ length: CONTACTS }, (_, index) => `"Contact\n${index}",${phoneOf(index)},not-started`);
    const text = ['name,phone,status', ...rows, 'Bad,none,not-started', 'Bad,+12025550101,lost'].join('\r\n');
    const file = join(folder, 'contacts.csv');
    await writeFile(file, text);
    const first = await spawnCli(env, ['import', 'rally', file, '--json']);
    const lines = [2 + 2 * CONTACTS, 3 + 2 * CONTACTS];
    expect(JSON.parse(first.out)).toMatchObject({
      added: CONTACTS,
      alreadyThere: 0,
      rejected: lines.map((line) => ({ line })),
    });
    const second = await spawnCli(env, ['import', 'rally', '-', '--json'], text);
    expect(JSON.parse(second.out)).toMatchObject({ added: 0, alreadyThere: CONTACTS, rejectedCount: 2 });
  });

  it('exits with 2 when it is refused or misused, and prints one JSON document with --json', async () => {
    const refused = await spawnCli(env, ['senders', 'nowhere', '--json']);
    expect(refused.status).toBe(2);
    expect(JSON.parse(refused.out)).toMatchObject({ error: { code: 'unknown-campaign', received: '"nowhere"' } });
    const unconfirmed = await spawnCli(env, ['unassign', 'rally', '--from', 'ann']);
    expect(unconfirmed).toMatchObject({ status: 2, out: '' });
    expect(unconfirmed.err).toBe(
      'baton: confirmation-needed: unassigning all 0 conversations must be confirmed with --confirm 0\n',
    );
    expect((await spawnCli(env, ['reassign', 'rally', '--sideways'])).status).toBe(2);
    expect((await spawnCli({}, ['senders', 'rally'])).status).toBe(2);
  });

  it('exits with 1 within seconds when a service is away', async () => {
    const away = { ...env, BATON_MONGODB_SELECTION_TIMEOUT_MS: '500' };
    const noDatabase = await spawnCli({ ...away, MONGODB_URI: 'mongodb://127.0.0.1:1/x' }, [
      'senders',
      'rally',
      '--json',
    ]);
    expect(noDatabase.status).toBe(1);
    expect(JSON.parse(noDatabase.out)).toMatchObject({ error: { code: 'database-unavailable' } });
    const move = ['reassign', 'rally', '--from', 'pool', '--to', 'ann', '--status', 'any'];
    const noQueue = await spawnCli({ ...env, REDIS_URL: 'redis://127.0.0.1:1' }, move);
    expect(noQueue).toMatchObject({ status: 1, out: '' });
    expect(noQueue.err).toContain('baton: queue-unavailable: ');
  });

  it('exits quietly when the reader of its output stops reading', async () => {
    const pipeline = `"${process.execPath}" --import tsx src/cli/main.ts export rally | head -n 1; echo "\${PIPESTATUS[0]}"`;
    const { PATH } = process.env;
    const shell = spawn('bash', ['--norc', '-c', pipeline], {
      env: { PATH, ...env },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    let [out, err] = ['', ''];
    shell.stdout.on('data', (data: Buffer) => (out += data.toString()));
    shell.stderr.on('data', (data: Buffer) => (err += data.toString()));
    await new Promise((resolve) => shell.once('close', resolve));
    expect(err).toBe('');
    expect(out).toMatch(/^conversation_id,[a-z_,]*\n0\n$/);
  });

  it('notes that no worker runs, and waits no longer than --wait', async () => {
    const move = [
      'reassign',
      'rally',
      '--from',
      'pool',
      '--to',
      'ann',
      '--status',
      'any',
      '--wait',
      '5',
      '--id',
      'late',
    ];
    const waited = await spawnCli(env, move);
    expect(waited.status).toBe(1);
    expect(waited.err).toContain('no worker is running');
    expect(waited.err).toContain('baton: wait-timeout: ');
  });

  it('runs a worker that performs waiting operations until SIGTERM stops it', async () => {
    const worker = spawn(process.execPath, ['--import', 'tsx', 'src/cli/main.ts', 'worker'], {
      env: { PATH: process.env['PATH'], ...env, BATON_LOG_LEVEL: 'info' },
      stdio: ['ignore', 'inherit', 'pipe'],
    });
    const ended = new Promise<number | null>((resolve) => worker.once('exit', resolve));
    const again = ['reassign', 'rally', '--from', 'pool', '--to', 'ann', '--status', 'any', '--id', 'late', '--json'];
    const done = await spawnCli(env, again);
    expect(done.status).toBe(0);
    expect(JSON.parse(done.out)).toMatchObject({ operationId: 'late', state: 'done', receipt: { moved: CONTACTS } });
    worker.kill('SIGTERM');
    expect(await ended).toBe(0);
  });

  it('checks MongoDB, Redis and the queues with doctor', async () => {
    const healthy = await spawnCli(env, ['doctor', '--json']);
    expect(healthy.status).toBe(0);
    const { ok, checks, versions } = JSON.parse(healthy.out) as {
      ok: boolean;
      checks: { name: string }[];
      versions: object;
    };
    expect(ok).toBe(true);
    expect(versions).toMatchObject({ node: process.versions.node });
    const names = checks.map(({ name }) => name);
    expect(names).toEqual(expect.arrayContaining(['MongoDB', 'transactions', 'indexes', 'Redis', 'Redis eviction']));
    const unhealthy = await spawnCli({ ...env, REDIS_URL: 'redis://127.0.0.1:1' }, ['doctor']);
    expect(unhealthy.status).toBe(1);
    expect(unhealthy.out).toMatch(/✗ Redis .*REDIS_URL/);
  });
});
