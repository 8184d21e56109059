import { describe, expect, it } from 'vitest';
import { checkedName, refuseReservedWord } from '../../src/campaigns/campaign.ts';
import { NAME_CHARS_MAX } from '../../src/domain/ids.ts';

describe('checkedName', () => {
  it('removes the blanks around a name', () => {
    expect(checkedName('  Zoë O’Hara ')).toBe('Zoë O’Hara');
    expect(checkedName('x'.repeat(NAME_CHARS_MAX))).toHaveLength(NAME_CHARS_MAX);
  });

  it.each([
    ['the name must have a visible character', '   '],
    ['the name must have a visible character', '\u200b\u2060\u3164\u2800'],
    ['the name must have a visible character', '\u0301'],
    ['the name must have at most 200 characters', 'x'.repeat(NAME_CHARS_MAX + 1)],
    ['the name must not contain control characters', 'bell\u0007'],
    ['the name must not contain control characters', 'escape \u009b31m'],
    ['the name must not contain characters that change the direction of text', 'Kevin\u202enoitca'],
    ['the name must not contain characters that change the direction of text', '\u2066Kevin\u2069'],
  ])('refuses a bad name: %s', (message, name) => {
    expect(() => checkedName(name)).toThrow(expect.objectContaining({ code: 'bad-request', message }) as Error);
  });
});

describe('refuseReservedWord', () => {
  it.each(['pool', 'Pool', 'EVERYONE'])('refuses %s', (word) => {
    expect(() => refuseReservedWord(word)).toThrow(
      expect.objectContaining({
        code: 'bad-request',
        message: `a texter cannot be called "${word}", because commands use this word in another sense`,
      }) as Error,
    );
  });

  it.each(['Paul Pool', 'everyone2', ''])('accepts %j', (word) => {
    expect(() => refuseReservedWord(word)).not.toThrow();
  });
});
