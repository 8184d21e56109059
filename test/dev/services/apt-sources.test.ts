import { describe, expect, test } from 'vitest';
import { findMirror, parseSourceFile } from '../../../dev/services/unpacked/apt-sources.ts';

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
