import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import {
  chooseMongo,
  chooseRedis,
  missingServices,
  mongoLines,
  redisLines,
  type Machine,
} from '../../../dev/services/choose.ts';
import { composeCommands } from '../../../dev/services/docker.ts';
import { checkMongo, checkRedis } from '../../../dev/services/environment-services.ts';
import { inspectMachine } from '../../../dev/services/machine.ts';
import { log, withoutCredentials } from '../../../dev/services/messages.ts';
import { startServices } from '../../../dev/services/services.ts';

const bareMachine: Machine = {
  mongodbUri: undefined,
  redisUrl: undefined,
  docker: false,
  mongodVersion: undefined,
  redisServer: false,
  downloadProblem: 'no network',
  debian: false,
  root: false,
  excludedMongo: {},
  excludedRedis: {},
};
const debianAsRoot: Machine = { ...bareMachine, debian: true, root: true };
const installed: Machine = { ...bareMachine, mongodVersion: '8.0.4', redisServer: true };
const addresses = { mongodbUri: 'mongodb://somewhere', redisUrl: 'redis://somewhere' };
/** A machine that has everything. */
const fullMachine: Machine = {
  ...{ ...debianAsRoot, ...addresses, docker: true },
  ...{ mongodVersion: '8.0.4', redisServer: true, downloadProblem: undefined },
};

describe('the choice of the services', () => {
  test('takes the environment, then Docker, then installed programs, then a download, then the private servers', () => {
    const less: Partial<Machine>[] = [
      { mongodbUri: undefined, redisUrl: undefined },
      { docker: false },
      { mongodVersion: undefined, redisServer: false },
      { downloadProblem: 'no network' },
      { root: false },
    ];
    const machines = [fullMachine];
    for (const without of less) machines.push({ ...(machines.at(-1) ?? fullMachine), ...without });
    expect(machines.map((machine) => chooseMongo(machine).source)).toEqual([
      ...['environment', 'docker', 'mongod', 'download', 'private'],
      undefined,
    ]);
    expect(machines.map((machine) => chooseRedis(machine).source)).toEqual([
      ...['environment', 'docker', 'installed', 'private', 'private'],
      undefined,
    ]);
  });

  test('gives a developer without root the installed programs', () => {
    expect(chooseMongo(installed).source).toBe('mongod');
    expect(chooseRedis(installed).source).toBe('installed');
    expect(chooseMongo({ ...bareMachine, downloadProblem: undefined }).source).toBe('download');
  });

  test('chooses MongoDB and Redis independently of each other', () => {
    const onlyRedis = { ...bareMachine, redisUrl: addresses.redisUrl, docker: true };
    expect([chooseMongo(onlyRedis).source, chooseRedis(onlyRedis).source]).toEqual(['docker', 'environment']);
    const onlyMongo = { ...bareMachine, mongodbUri: addresses.mongodbUri, redisServer: true };
    expect([chooseMongo(onlyMongo).source, chooseRedis(onlyMongo).source]).toEqual(['environment', 'installed']);
  });

  test('says in a short line what was chosen, and in a second one why not what is preferred', () => {
    expect(mongoLines(chooseMongo(fullMachine))).toEqual(['MongoDB: the server that MONGODB_URI names']);
    expect(mongoLines(chooseMongo(installed))).toEqual([
      'MongoDB: the mongod on the PATH',
      '  not used: MONGODB_URI is not set; Docker does not run',
    ]);
    const container = chooseRedis({ ...debianAsRoot, docker: true });
    expect(redisLines(container)).toEqual(['Redis: a container', '  not used: REDIS_URL is not set']);
    for (const [short = ''] of [mongoLines(chooseMongo(debianAsRoot)), redisLines(chooseRedis(debianAsRoot))]) {
      expect(`baton: ${short}`.length).toBeLessThan(80);
    }
  });

  test('passes over a mongod that is too old, and over a server that did not start', () => {
    const old = chooseMongo({ ...debianAsRoot, mongodVersion: '3.6.8' });
    expect(old.source).toBe('private');
    expect(old.because).toContain('the mongod on the PATH is 3.6.8, and Baton needs 7.0 or newer');
    const broken = chooseMongo({
      ...installed,
      excludedMongo: { mongod: 'it did not start' },
      downloadProblem: undefined,
    });
    expect(broken).toMatchObject({
      source: 'download',
      because: expect.arrayContaining(['it did not start']) as string[],
    });
  });

  test('refuses a machine without any of them in one line for each service, and lists what to do', () => {
    const message = missingServices(chooseMongo(bareMachine), chooseRedis(bareMachine));
    expect(message).toMatch(
      /^cannot start MongoDB: MONGODB_URI is not set; Docker does not run; no mongod is on the PATH; .*$/m,
    );
    expect(message).toMatch(/^cannot start Redis: .*; no redis-server that works is on the PATH; .*$/m);
    for (const help of ['brew install', 'apt install', 'MONGODB_URI', 'Docker', 'fastdl', 'root on Debian']) {
      expect(message).toContain(help);
    }
  });
});

describe('data that an earlier start has kept', () => {
  let folder: string;
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'baton-test-kept-'));
  });
  afterEach(() => rmSync(folder, { recursive: true }));

  test('are given only to a server that can read them', () => {
    mkdirSync(join(folder, 'mongod'));
    mkdirSync(join(folder, 'docker-redis'));
    const machine = inspectMachine({}, folder);
    const { source, because } = chooseMongo({
      ...fullMachine,
      mongodbUri: undefined,
      excludedMongo: machine.excludedMongo,
    });
    expect(source).toBe('mongod');
    expect(because).toContain(`the data in ${join(folder, 'mongod')} are those of another server`);
    const noDocker = { ...installed, excludedRedis: machine.excludedRedis };
    expect(chooseRedis(noDocker).source).toBeUndefined();
    expect(chooseRedis({ ...noDocker, docker: true }).source).toBe('docker');
  });
});

test('a message is broken where the terminal ends', () => {
  const { columns } = process.stderr;
  const write = vi.spyOn(process.stderr, 'write').mockReturnValue(true);
  try {
    process.stderr.columns = 40;
    log('  not used: MONGODB_URI is not set; Docker does not run');
  } finally {
    process.stderr.columns = columns;
  }
  expect(write).toHaveBeenCalledWith('baton:   not used: MONGODB_URI is not\n         set; Docker does not run\n');
  write.mockRestore();
});

describe('servers that the environment names', () => {
  test('appear in messages without user name and password', () => {
    expect(withoutCredentials('mongodb://user:secret@host:1/db')).toBe('mongodb://…@host:1/db');
    expect(withoutCredentials('redis://host:1')).toBe('redis://host:1');
  });

  test('must be reachable; the error names the address and the reason', async () => {
    const mongoError = /MONGODB_URI .*127.0.0.1:1.*ECONNREFUSED/;
    await expect(checkMongo('mongodb://u:secret@127.0.0.1:1')).rejects.toThrow(mongoError);
    await expect(checkRedis('redis://:secret@127.0.0.1:1')).rejects.toThrow(/REDIS_URL .*127.0.0.1:1.*ECONNREFUSED/);
  });
});

describe('data that --keep names', () => {
  let folder: string;
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'baton-test-docker-'));
    vi.stubEnv('PATH', `${folder}:${process.env['PATH'] ?? ''}`);
    vi.stubEnv('MONGODB_URI', '');
    vi.stubEnv('REDIS_URL', '');
  });
  afterEach(() => {
    vi.unstubAllEnvs();
    vi.restoreAllMocks();
    rmSync(folder, { recursive: true });
  });

  test('are not given to other servers when containers do not start', async () => {
    const docker = '#!/bin/sh\nfor word; do [ "$word" = up ] && echo no such image && exit 1; done\nexit 0\n';
    writeFileSync(join(folder, 'docker'), docker, { mode: 0o755 });
    const keptIn = join(folder, 'kept');
    const lines: string[] = [];
    vi.spyOn(process.stderr, 'write').mockImplementation((text) => lines.push(String(text)) > 0);
    await expect(startServices(keptIn)).rejects.toThrow(/containers did not start.*no such image.*leave --keep out/s);
    expect(existsSync(keptIn)).toBe(false);
    // A person sees the choice before what may take minutes.
    expect(lines).toEqual([
      ...['baton: MongoDB: a container\n', 'baton:   not used: MONGODB_URI is not set\n'],
      ...['baton: Redis: a container\n', 'baton:   not used: REDIS_URL is not set\n'],
      expect.stringContaining('starting containers'),
    ]);
  });
});

describe('Docker Compose', () => {
  const ports = { mongo: 40001, redis: 40002 };

  test('the up command uses its own project and ports and waits until the containers are healthy', () => {
    const { up } = composeCommands('baton-dev-7', ['mongo', 'redis'], ports);
    expect(up.slice(0, 7)).toEqual([
      'env',
      'BATON_MONGO_PORT=40001',
      'BATON_REDIS_PORT=40002',
      'docker',
      'compose',
      '--project-name',
      'baton-dev-7',
    ]);
    expect(up).toContain('--wait');
    expect(up.slice(-2)).toEqual(['mongo', 'redis']);
  });

  test('the up command starts only the requested services, and the down command removes their volumes', () => {
    const { up, down } = composeCommands('baton-dev-7', ['redis'], ports);
    expect(up.at(-1)).toBe('redis');
    expect(up).not.toContain('mongo');
    expect(down).toContain('--volumes');
    expect(down.join(' ')).toContain('--project-name baton-dev-7');
  });
});
