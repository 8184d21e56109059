import { describe, expect, it } from 'vitest';
import { readConfig } from '../../src/config.ts';

const ADDRESSES = { MONGODB_URI: 'mongodb://127.0.0.1/baton?replicaSet=rs0', REDIS_URL: 'redis://127.0.0.1' };

describe('the configuration', () => {
  it.each([
    ['BATON_LOCK_MS', '1', '1000'],
    ['BATON_LOCK_MS', '999', '1000'],
    ['BATON_STALLED_CHECK_MS', '1', '100'],
    ['BATON_RECONCILE_EVERY_MS', '1', '100'],
    ['BATON_CLOSE_TIMEOUT_MS', '1', '100'],
    ['BATON_MONGODB_SELECTION_TIMEOUT_MS', '1', '100'],
  ])('is refused with %s=%s, with which nothing would work', (name, value, least) => {
    expect(() => readConfig({ ...ADDRESSES, [name]: value })).toThrow(name);
    expect(() => readConfig({ ...ADDRESSES, [name]: least })).not.toThrow();
  });
});
