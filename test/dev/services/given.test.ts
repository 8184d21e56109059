import { describe, expect, test } from 'vitest';
import { checkMongo, checkRedis, withoutSecrets } from '../../../dev/services/given.ts';

describe('services that are given', () => {
  test('are named in messages without their passwords', () => {
    expect(withoutSecrets('mongodb://user:secret@host:1/db')).toBe('mongodb://…@host:1/db');
    expect(withoutSecrets('redis://host:1')).toBe('redis://host:1');
  });

  test('must be reachable, and the message says where and why not', async () => {
    await expect(checkMongo('mongodb://u:secret@127.0.0.1:1')).rejects.toThrow(
      /MONGODB_URI .*127.0.0.1:1.*ECONNREFUSED/,
    );
    await expect(checkRedis('redis://:secret@127.0.0.1:1')).rejects.toThrow(/REDIS_URL .*127.0.0.1:1.*ECONNREFUSED/);
  });
});
