import { describe, expect, it } from 'vitest';
import { hasGoneBack } from '../../src/domain/database-age.ts';

const age = (pass: number, token = 'a') => ({ pass, token, at: new Date(pass) });

describe('a database has gone back', () => {
  it.each([
    ['to an earlier pass', age(5), age(4), true],
    ['to a time before its first pass', age(5), null, true],
    ['when it is a copy that has counted as far', age(5), age(5, 'b'), true],
    ['not when it is where Redis has seen it', age(5), age(5), false],
    ['not when a worker died before it wrote the pass to Redis', age(5), age(6, 'b'), false],
    ['not when Redis has lost its data', null, age(5), false],
  ])('%s', (_what, seen, found, expected) => {
    expect(hasGoneBack(seen, found)).toBe(expected);
  });
});
