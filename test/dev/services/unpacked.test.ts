import { existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { findMirror, parseSourceFile } from '../../../dev/services/unpacked/apt-sources.ts';
import { buildThenRename } from '../../../dev/services/unpacked/build.ts';
import { withLock } from '../../../dev/services/unpacked/cache.ts';
import { parsePrintedUris } from '../../../dev/services/unpacked/packages.ts';
import { describeWith, LINUX } from '../../support/needs.ts';

const oneLine = {
  name: '/etc/apt/sources.list',
  text: [
    '# deb http://commented.example/debian bookworm main',
    'deb-src http://sources.example/debian bookworm main',
    'deb http://security.example/debian-security bookworm-security main',
    'deb [arch=amd64 signed-by=/usr/share/keyrings/x.gpg] http://one.example/debian/ bookworm main contrib',
    'deb cdrom:[Debian GNU/Linux 12]/ bookworm main',
  ].join('\n'),
};
const stanzas = {
  name: '/etc/apt/sources.list.d/debian.sources',
  text: [
    '# A comment before the stanza',
    'Types: deb deb-src',
    '# http://snapshot.example/debian/20250101T000000Z',
    'URIs: http://two.example/debian',
    'Suites: bookworm',
    '  bookworm-updates',
    'Components: main',
    'Signed-By: /usr/share/keyrings/debian-archive-keyring.gpg',
    '',
    'Types: deb',
    'URIs: http://security.example/debian-security',
    'Suites: bookworm-security',
    'Components: main',
    '',
  ].join('\n'),
};
const thirdParty = {
  name: '/etc/apt/sources.list.d/node.sources',
  text: 'Types: deb\nURIs: https://third.example/node\nSuites: nodistro\nComponents: main\n',
};

describe('findMirror', () => {
  test('reads one-line entries and ignores their options', () => {
    expect(findMirror([oneLine], 'bookworm')).toBe('http://one.example/debian');
  });

  test('reads deb822 stanzas with comments and continued lines', () => {
    expect(parseSourceFile(stanzas)[0]).toEqual({
      uris: ['http://two.example/debian'],
      suites: ['bookworm', 'bookworm-updates'],
    });
    expect(findMirror([thirdParty, stanzas], 'bookworm')).toBe('http://two.example/debian');
  });

  test('ignores the security archive, third-party sources and CDs', () => {
    expect(findMirror([thirdParty], 'bookworm')).toBeUndefined();
    const security = { name: 'a.list', text: 'deb http://security.example/debian-security bookworm-security main' };
    expect(findMirror([security], 'bookworm')).toBeUndefined();
    expect(findMirror([{ name: 'a.list', text: 'deb cdrom:[x]/ bookworm main' }], 'bookworm')).toBeUndefined();
  });

  test('ignores disabled stanzas', () => {
    const disabled = {
      ...stanzas,
      text: `Enabled: no\n${stanzas.text.replace('# A comment before the stanza\n', '')}`,
    };
    expect(findMirror([disabled], 'bookworm')).toBeUndefined();
  });

  test('accepts a source with a rolling name such as sid', () => {
    expect(findMirror([{ name: 'a.list', text: 'deb http://m.example/debian sid main' }], 'forky')).toBe(
      'http://m.example/debian',
    );
  });
});

describe('parsePrintedUris', () => {
  test('decodes the versions and ignores other lines', () => {
    const text = [
      'Reading package lists...',
      "'http://m.example/pool/r/redis-server_8.0.6-3_amd64.deb' redis-server_5%3a8.0.6-3_amd64.deb 64264 SHA256:12",
      "'http://m.example/pool/t/tzdata_2026f-1_all.deb' tzdata_2026f-1_all.deb 263396 SHA256:34",
      '',
    ].join('\n');
    expect(parsePrintedUris(text)).toEqual([
      { name: 'redis-server', version: '5:8.0.6-3', architecture: 'amd64' },
      { name: 'tzdata', version: '2026f-1', architecture: 'all' },
    ]);
  });
});

let folder = '';
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'build-test-'));
});
afterEach(() => {
  rmSync(folder, { recursive: true });
});

describe('buildThenRename', () => {
  test('leaves no folder when a build fails, and the next build starts with an empty folder', async () => {
    const target = join(folder, 'root');
    const broken = buildThenRename(target, (temporary) => {
      writeFileSync(join(temporary, 'incomplete'), '');
      return Promise.reject(new Error('power failure'));
    });
    await expect(broken).rejects.toThrow('power failure');
    expect(existsSync(target)).toBe(false);

    await buildThenRename(target, (temporary) => {
      mkdirSync(join(temporary, 'complete'));
      return Promise.resolve();
    });
    expect(readdirSync(target)).toEqual(['complete']);
    expect(readdirSync(folder)).toEqual(['root']);
  });
});

describeWith(LINUX)('withLock', () => {
  test('runs one function at a time and releases the lock after a failure', async () => {
    const file = join(folder, 'lock');
    const events: string[] = [];
    const work = (name: string) => async () => {
      events.push(`${name} starts`);
      await sleep(50);
      events.push(`${name} ends`);
    };
    await Promise.all([withLock(file, work('a')), withLock(file, work('b'))]);
    expect(events.map((event) => event.slice(2))).toEqual(['starts', 'ends', 'starts', 'ends']);

    await expect(withLock(file, () => Promise.reject(new Error('failed')))).rejects.toThrow('failed');
    await expect(withLock(file, () => Promise.resolve('done'))).resolves.toBe('done');
  });
});
