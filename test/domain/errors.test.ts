import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Overtaken } from '../../src/operations/ports.ts';
import {
  Halted,
  isPermanent,
  parseRefusal,
  Refusal,
  REFUSAL_CODES,
  refusalLine,
  shown,
} from '../../src/domain/errors.ts';

/** What Baton itself says it expects; it never holds the words that come before what came. */
const expectation = fc.string().filter((text) => !text.includes(', got '));
const plain = ({ code, expected, got, message }: Refusal): object => ({ code, expected, got, message });

describe('a refusal', () => {
  it('says what was expected and what came', () => {
    const refusal = new Refusal('no-targets', { expected: 'at least one', got: 'none' });
    expect(refusal.message).toBe('expected at least one, got none');
    expect(refusal).toBeInstanceOf(Error);
  });

  it('survives the trip through a failed job, whatever came', () => {
    fc.assert(
      fc.property(
        fc.constantFrom(...REFUSAL_CODES),
        expectation,
        fc.string({ unit: 'binary' }),
        (code, expected, got) => {
          const refusal = new Refusal(code, { expected, got });
          const back = parseRefusal(refusalLine(refusal));
          expect(back && plain(back)).toEqual(plain(refusal));
        },
      ),
    );
  });

  it('survives even when what came speaks the same language', () => {
    const refusal = new Refusal('bad-request', { expected: 'a status', got: '"x, got y"' });
    const back = parseRefusal(refusalLine(refusal));
    expect(back && plain(back)).toEqual(plain(refusal));
  });

  it.each([
    '',
    'boo',
    'job stalled more than allowable limit',
    'no-such-code: expected a, got b',
    'no-targets: nothing else',
    'No-targets: expected a, got b',
  ])('is not read out of any other failure: %j', (line) => {
    expect(parseRefusal(line)).toBeUndefined();
  });

  it('has codes that are plain words and each its own', () => {
    expect(new Set(REFUSAL_CODES).size).toBe(REFUSAL_CODES.length);
    for (const code of REFUSAL_CODES) expect(code).toMatch(/^[a-z]+(-[a-z]+)*$/);
  });
});

describe('somebody else’s value in a message', () => {
  it('is short, whatever it is', () => {
    fc.assert(
      fc.property(fc.anything({ withBigInt: true, withDate: true, withMap: true }), (value) => {
        expect(shown(value).length).toBeLessThanOrEqual(81);
      }),
    );
  });

  it.each([
    [undefined, 'undefined'],
    [null, 'null'],
    ['', '""'],
    [7n, '"7n"'],
    [NaN, 'null'],
    [{ $ne: null }, '{"$ne":null}'],
    ['a\nb\u001b[31m', '"a\\nb\\u001b[31m"'],
  ])('%s is shown as %s', (value, text) => {
    expect(shown(value)).toBe(text);
  });

  it('steers no terminal and breaks no line', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), (value) => {
        // eslint-disable-next-line no-control-regex
        expect(shown(value)).not.toMatch(/[\u0000-\u001f\u007f-\u009f]/);
      }),
    );
  });
});

describe('an error', () => {
  const said = { expected: 'this', got: 'that' };
  it.each([new Refusal('no-targets', said), new Halted('targets-lost', said)])('that is an answer: %s', (error) => {
    expect(isPermanent(error)).toBe(true);
  });

  it.each([new Error('write conflict'), new TypeError('x is not a function'), new Overtaken('batch 1'), 'boo', null])(
    'that is trouble, and tried again: %s',
    (error) => {
      expect(isPermanent(error)).toBe(false);
    },
  );
});
