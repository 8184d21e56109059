/** What is known of a person who is to be erased. */
export interface Person {
  readonly names: readonly string[];
  /** The phone number in every form in which it may be stored. */
  readonly phones: readonly string[];
}

export const ERASED_TEXT = '[erased]';

const PHONE_DIGITS_MIN = 7;
/** A shorter name of one word, such as "An", is a common word of sentences as well. */
const SINGLE_NAME_CHARS_MIN = 4;
/** Punctuation between the digits of a number, as people write it. */
const BETWEEN_DIGITS = '[^0-9A-Za-z]{0,3}';

/** Removes a person from texts that people wrote, such as reasons, and from the messages of errors. */
export class PersonText {
  private readonly patterns: readonly RegExp[];

  constructor({ names, phones }: Person) {
    const digits = phones.map((phone) => phone.replace(/\D/g, '')).filter(({ length }) => length >= PHONE_DIGITS_MIN);
    const longestFirst = [...new Set(digits)].sort((a, b) => b.length - a.length);
    this.patterns = [...longestFirst.map(phonePattern), ...names.flatMap(namePattern)];
  }

  without(text: string): string {
    return this.patterns.reduce((rest, pattern) => rest.replace(pattern, ERASED_TEXT), text);
  }

  isIn(text: string): boolean {
    return this.without(text) !== text;
  }
}

function phonePattern(digits: string): RegExp {
  return new RegExp(`(?<![0-9])\\+?\\(?${[...digits].join(BETWEEN_DIGITS)}(?![0-9])`, 'g');
}

/** Returns no pattern for a name that would match common words. */
function namePattern(name: string): RegExp[] {
  const words = name.split(/\s+/).filter((word) => word !== '');
  const [first = '', second] = words;
  if (second === undefined && first.length < SINGLE_NAME_CHARS_MIN) return [];
  const escaped = words.map((word) => word.replace(/[.*+?^${}()|[\]\\]/g, '\\$&'));
  return [new RegExp(`(?<![\\p{L}\\p{N}])${escaped.join('\\s+')}(?![\\p{L}\\p{N}])`, 'giu')];
}
