import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { chooseServices, type Machine } from '../../../dev/services/choose.ts';
import { composeCommands } from '../../../dev/services/docker.ts';
import { checkMongo, checkRedis } from '../../../dev/services/environment-services.ts';
import { withoutCredentials } from '../../../dev/services/messages.ts';
import { startServices } from '../../../dev/services/services.ts';

const bareMachine: Machine = {
  mongodbUri: undefined,
  redisUrl: undefined,
  docker: false,
  debian: false,
  root: false,
  redisBinary: false,
};
const debianAsRoot: Machine = { ...bareMachine, debian: true, root: true };
const addresses = { mongodbUri: 'mongodb://somewhere', redisUrl: 'redis://somewhere' };

describe('chooseServices', () => {
  test('prefers servers that the environment names to everything else', () => {
    const choice = chooseServices({ ...debianAsRoot, ...addresses, docker: true });
    expect(choice).toEqual({ possible: true, mongo: 'environment', redis: 'environment' });
  });

  test('prefers Docker to private servers', () => {
    const choice = chooseServices({ ...debianAsRoot, docker: true });
    expect(choice).toEqual({ possible: true, mongo: 'docker', redis: 'docker' });
  });

  test('chooses MongoDB and Redis independently of each other', () => {
    const onlyRedis = chooseServices({ ...bareMachine, redisUrl: addresses.redisUrl, docker: true });
    expect(onlyRedis).toEqual({ possible: true, mongo: 'docker', redis: 'environment' });
    const onlyMongo = chooseServices({ ...bareMachine, mongodbUri: addresses.mongodbUri, redisBinary: true });
    expect(onlyMongo).toEqual({ possible: true, mongo: 'environment', redis: 'private' });
  });

  test('uses private servers for root on Debian', () => {
    expect(chooseServices(debianAsRoot)).toEqual({ possible: true, mongo: 'private', redis: 'private' });
  });

  test('cannot provide MongoDB without root, and the message lists every remedy', () => {
    const choice = chooseServices({ ...debianAsRoot, root: false });
    expect(choice).toMatchObject({ possible: false });
    const message = choice.possible ? '' : choice.message;
    expect(message).toContain('cannot provide MongoDB.');
    expect(message).toContain('MONGODB_URI');
    expect(message).toContain('Docker');
    expect(message).toContain('root on Debian 12');
  });

  test('names both services in the message when both are missing', () => {
    const choice = chooseServices(bareMachine);
    expect(choice.possible ? '' : choice.message).toContain('cannot provide MongoDB and Redis.');
  });
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
    rmSync(folder, { recursive: true });
  });

  test('are not given to other servers when containers do not start', async () => {
    const docker = '#!/bin/sh\nfor word; do [ "$word" = up ] && echo no such image && exit 1; done\nexit 0\n';
    writeFileSync(join(folder, 'docker'), docker, { mode: 0o755 });
    const keptIn = join(folder, 'kept');
    await expect(startServices(keptIn)).rejects.toThrow(/containers did not start.*no such image.*leave --keep out/s);
    expect(existsSync(keptIn)).toBe(false);
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
