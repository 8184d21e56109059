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
    '# A comment in front',
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

describe('the mirror this machine already uses', () => {
  test('is read from one-line entries, options aside', () => {
    expect(findMirror([oneLine], 'bookworm')).toBe('http://one.example/debian');
  });

  test('is read from deb822 stanzas, comments and continued lines aside', () => {
    expect(parseSourceFile(stanzas)[0]).toEqual({
      uris: ['http://two.example/debian'],
      suites: ['bookworm', 'bookworm-updates'],
    });
    expect(findMirror([thirdParty, stanzas], 'bookworm')).toBe('http://two.example/debian');
  });

  test('is never the security archive, a third party or a CD', () => {
    expect(findMirror([thirdParty], 'bookworm')).toBeUndefined();
    const security = { name: 'a.list', text: 'deb http://security.example/debian-security bookworm-security main' };
    expect(findMirror([security], 'bookworm')).toBeUndefined();
    expect(findMirror([{ name: 'a.list', text: 'deb cdrom:[x]/ bookworm main' }], 'bookworm')).toBeUndefined();
  });

  test('leaves out stanzas that are switched off', () => {
    const off = { ...stanzas, text: `Enabled: no\n${stanzas.text.replace('# A comment in front\n', '')}` };
    expect(findMirror([off], 'bookworm')).toBeUndefined();
  });

  test('may have been set up by a rolling name', () => {
    expect(findMirror([{ name: 'a.list', text: 'deb http://m.example/debian sid main' }], 'forky')).toBe(
      'http://m.example/debian',
    );
  });
});
