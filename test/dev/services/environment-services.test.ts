import { describe, expect, test } from 'vitest';
import { checkMongo, checkRedis } from '../../../dev/services/environment-services.ts';
import { withoutCredentials } from '../../../dev/services/messages.ts';

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
