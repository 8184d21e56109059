import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { readName, visibleText } from '../../src/domain/visible-text.ts';

describe('a name as people see it', () => {
  it.each([
    ['Kev\u200bin', 'Kevin'],
    ['\u200ep\u200dool\u2060', 'pool'],
    ['K\ufe0fev\u00adin\u{e0061}', 'Kevin'],
    ['  Ann\t\r\n Lee\u00a0\u3000Ho ', 'Ann Lee Ho'],
    ['Zoe\u0308', 'Zoë'],
    ['Ann \u200b Lee', 'Ann Lee'],
    ['😀\u200d', '😀'],
  ])('has neither invisible characters nor double blanks: %j', (text, name) => {
    expect(readName(text)).toEqual({ name });
  });

  it.each(['👩‍👩‍👧', '👩🏽‍🚀', '❤️‍🔥', '🏳️‍🌈', '🏴󠁧󠁢󠁥󠁮󠁧󠁿', '1️⃣', '☺️', '👍🏽', '🇩🇪', 'Zoë O’Hara', '李小龙', 'José "Pepe"'])(
    'keeps %s as it is',
    (name) => expect(readName(name)).toEqual({ name }),
  );

  it.each(['', ' \n', '\u200b', '\u3164\uffa0', '\u2800', '\u0301', '\u{e0001}'])(
    'is empty without a visible character: %j',
    (text) => {
      expect(readName(text)).toEqual({ name: '' });
    },
  );

  it.each(['a\u202eb', '\u202aa\u202c', '\u2066a\u2069', 'bell\u0007', '\u009b31m', '\ud800'])(
    'is refused: %j',
    (text) => {
      expect(readName(text)).toHaveProperty('broken');
    },
  );

  it('does not change when it is read again, and is one line', () => {
    const unit = fc.oneof(
      fc.constantFrom(
        ...'a b\n\u200b\u200d\ufe0f\u0301☺❤1#\u20e3',
        '👩',
        '🏽',
        '🏴',
        '\u{e0067}',
        '\u{e007f}',
        '\u200e',
      ),
      fc.string({ unit: 'binary', minLength: 1, maxLength: 1 }),
    );
    fc.assert(
      fc.property(fc.string({ unit }), (text) => {
        const once = visibleText(text);
        expect(visibleText(once)).toBe(once);
        expect(once).not.toMatch(/[\n\r\u2028\u2029]|^ | $| {2}/);
      }),
      { numRuns: 2_000 },
    );
  });
});
