import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { composeCommands } from '../../../dev/services/docker.ts';
import { openKeptFolder, readStartArguments } from '../../../dev/services/keep.ts';
import { LINUX, itWith } from '../../support/needs.ts';

describe('the arguments of npm start', () => {
  it('name the folder from where the command was typed', () => {
    expect(readStartArguments([], '/home/kim')).toEqual({ keep: undefined });
    expect(readStartArguments(['--keep', 'data'], '/home/kim')).toEqual({ keep: '/home/kim/data' });
    expect(readStartArguments(['--keep=/srv/data'], '/home/kim')).toEqual({ keep: '/srv/data' });
    expect(readStartArguments(['--help'], '/home/kim')).toEqual({
      help: expect.stringContaining('--keep DIR') as string,
    });
  });

  it('are refused when they are not understood', () => {
    for (const args of [['--keep'], ['--keep='], ['--kept', 'x'], ['data'], ['--keep', 'a', 'b'], ['--keep', '--x']]) {
      expect(() => readStartArguments(args, '/')).toThrow(
        'npm start takes only --keep DIR, as in `npm start -- --keep DIR`; received',
      );
    }
  });
});

describe('the folder of --keep', () => {
  let folder: string;
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'baton-test-keep-'));
  });
  afterEach(() => rmSync(folder, { recursive: true }));

  itWith(LINUX)('serves one start at a time', async () => {
    const path = join(folder, 'new', 'data');
    const first = await openKeptFolder(path);
    await expect(openKeptFolder(path)).rejects.toThrow(/^--keep \S+: another `npm start` is using this folder;.*$/);
    await first.release();
    await (await openKeptFolder(path)).release();
  });

  it('is refused in one line when it cannot be written', async () => {
    writeFileSync(join(folder, 'file'), '');
    const below = join(folder, 'file', 'data');
    await expect(openKeptFolder(below)).rejects.toThrow(
      /^--keep cannot write to \S+file\/data \(.*\): name a folder.*$/,
    );
    await expect(openKeptFolder(join(folder, 'file'))).rejects.toThrow(
      /^--keep needs a folder, and \S+file is a file: name a folder$/,
    );
  });

  itWith(LINUX)('is refused where nobody can make a folder', async () => {
    await expect(openKeptFolder('/proc/data')).rejects.toThrow(
      /^--keep cannot write to \/proc\/data \(.*\): name a folder.*$/,
    );
  });

  it('is refused when it has files of another program', async () => {
    writeFileSync(join(folder, 'letter.txt'), '');
    await expect(openKeptFolder(folder)).rejects.toThrow('which has other files in it');
  });

  it('takes the place of the volumes of containers', () => {
    const ports = { mongo: 1, redis: 2 };
    expect(composeCommands('p', ['mongo'], ports, '/data').up).toEqual(
      expect.arrayContaining(['BATON_MONGO_DATA=/data/docker-mongo', 'BATON_REDIS_DATA=/data/docker-redis']),
    );
    expect(composeCommands('p', ['mongo'], ports).up.join(' ')).not.toContain('_DATA');
  });
});
