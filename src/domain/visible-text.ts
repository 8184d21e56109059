/*
 * Names reach screens, files and text messages. With invisible characters, two different names look the same, a name looks
 * like the word "pool", or a terminal shows a line in another order.
 */

/** Flags of regions, keycaps, joined emoji, and emoji in colour: their invisible characters change how they look. */
const JOINED_EMOJI = [
  '\\u{1f3f4}[\\u{e0030}-\\u{e007a}]{2,7}\\u{e007f}',
  '[0-9#*]\\ufe0f\\u20e3',
  '\\p{Extended_Pictographic}[\\ufe0f\\p{Emoji_Modifier}]?(?:\\u200d\\p{Extended_Pictographic}[\\ufe0f\\p{Emoji_Modifier}]?)+',
  '(?!\\p{Emoji_Presentation})\\p{Extended_Pictographic}\\ufe0f',
].join('|');

/** Characters without a place of their own: zero-width ones, fillers, variation selectors, annotations. */
const INVISIBLE = '[\\p{Default_Ignorable_Code_Point}\\p{Cf}]';
const EMOJI_OR_INVISIBLE = new RegExp(`(${JOINED_EMOJI})|${INVISIBLE}`, 'gu');

/** White space of every kind, line ends and the blank of Braille included. */
const WHITE_SPACE = /[\s\u0085\u2800]+/g;

/** Characters that change the direction of the text after them, and so the order in which people see it. */
export const BIDI_CONTROL = /[\u202a-\u202e\u2066-\u2069]/;

// eslint-disable-next-line no-control-regex
export const CONTROL_CHARACTER = /[\u0000-\u001f\u007f-\u009f]/;

/** Half of a character. */
const SURROGATE = /\p{Cs}/u;

const VISIBLE = /[\p{L}\p{N}\p{P}\p{S}]/u;

/** Returns a text as people see it: in one form of Unicode, on one line, without characters that cannot be seen. */
export function visibleText(text: string): string {
  const plain = text.replace(WHITE_SPACE, ' ').replace(EMOJI_OR_INVISIBLE, (_, emoji?: string) => emoji ?? '');
  return plain.replace(WHITE_SPACE, ' ').trim().normalize('NFC');
}

/** Returns the form in which two texts are equal that differ only in case or in the form of their characters. */
export function foldedText(text: string): string {
  return visibleText(text).normalize('NFKC').toUpperCase().toLowerCase();
}

/**
 * Reads a name that a person or a file wrote: folds white space and drops invisible characters. Returns the rule that the
 * name breaks if it has control characters or changes the direction of text. The name may be empty.
 */
export function readName(text: string): { readonly name: string } | { readonly broken: string } {
  if (BIDI_CONTROL.test(text)) return { broken: 'must not contain characters that change the direction of text' };
  const name = visibleText(text);
  if (CONTROL_CHARACTER.test(name)) return { broken: 'must not contain control characters' };
  if (SURROGATE.test(name)) return { broken: 'must be valid Unicode text' };
  return { name: VISIBLE.test(name) ? name : '' };
}

const SHOWN_CHARS_MAX = 80;

/** Characters that JSON does not escape but terminals and log readers act on. */
const UNPRINTABLE = /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu;

/**
 * Formats a word that a person typed, for the person's own terminal: one printable line of limited length. Errors that are
 * logged, stored or sent contain `shownId` instead.
 */
export function shown(value: unknown): string {
  const text = toJson(value).replace(UNPRINTABLE, (char) => `\\u{${(char.codePointAt(0) ?? 0).toString(16)}}`);
  return text.length > SHOWN_CHARS_MAX ? `${text.slice(0, SHOWN_CHARS_MAX)}…` : text;
}

function toJson(value: unknown): string {
  try {
    // JSON.stringify returns undefined for functions and for undefined.
    return String(JSON.stringify(value, (_key, inner: unknown) => (typeof inner === 'bigint' ? `${inner}n` : inner)));
  } catch {
    return `${typeof value} that cannot be shown`;
  }
}
