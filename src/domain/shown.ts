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
