import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { shown } from '../../src/domain/visible-text.ts';

describe('shown', () => {
  it('shortens every value to one short text', () => {
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
  ])('formats %s as %s', (value, text) => {
    expect(shown(value)).toBe(text);
  });

  it('returns no control character, which could change a terminal or break a log line', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), (value) => {
        // eslint-disable-next-line no-control-regex
        expect(shown(value)).not.toMatch(/[\u0000-\u001f\u007f-\u009f]/);
      }),
    );
  });
});
