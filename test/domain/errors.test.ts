import { describe, expect, it } from 'vitest';
import { HALT_CODES, Halted, isPermanent, Refusal, REFUSAL_CODES, UnknownFailure } from '../../src/domain/errors.ts';
import { Overtaken } from '../../src/operations/ports.ts';

const DETAILS = { message: 'the list of targets is empty', expected: 'at least one texter', received: 'none' };

describe('a refusal', () => {
  it('is an error with a sentence for people and fields for programs', () => {
    const refusal = new Refusal('no-targets', DETAILS);
    expect(refusal).toBeInstanceOf(Error);
    expect(refusal).toMatchObject({ name: 'Refusal', code: 'no-targets', ...DETAILS });
  });

  it('has a code of lower-case words that no other error has', () => {
    const codes = [...REFUSAL_CODES, ...HALT_CODES];
    expect(new Set(codes).size).toBe(codes.length);
    for (const code of codes) expect(code).toMatch(/^[a-z]+(-[a-z]+)*$/);
  });
});

describe('isPermanent', () => {
  it.each([
    new Refusal('no-targets', DETAILS),
    new Halted('targets-lost', DETAILS),
    new UnknownFailure('a-newer-code', DETAILS),
  ])('returns true for %s', (error) => {
    expect(isPermanent(error)).toBe(true);
  });

  it.each([new Error('write conflict'), new TypeError('x is not a function'), new Overtaken('batch 1'), 'boo', null])(
    'returns false for %s, so that it is retried',
    (error) => {
      expect(isPermanent(error)).toBe(false);
    },
  );
});
