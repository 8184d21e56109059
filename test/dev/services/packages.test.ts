import { expect, test } from 'vitest';
import { parsePrintedUris } from '../../../dev/services/unpacked/packages.ts';

test('parsePrintedUris decodes the versions and ignores other lines', () => {
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
