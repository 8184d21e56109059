/** What an id may contain, without a library, so that errors and logs can ask. ids.ts has the schemas of requests. */

/** Ids are parts of job ids, database keys and log lines, so they are short and consist of plain characters. */
export const ID_CHARS_MAX = 64;
export const ORGANISATION_CHARS_MAX = 24;
/** The ids of common systems fit: `auth0|1`, `-Nabc`, `a:b`. No other character has a meaning in keys, paths or logs. */
export const ID = /^[_|:.-]*[A-Za-z0-9][A-Za-z0-9_|:.-]*$/;
const ID_RULE = `must be 1 to ${ID_CHARS_MAX} letters, digits, "-", "_", ".", ":" or "|", with a letter or digit`;
/** The same with an organisation in front: see `organisations.ts`. */
export const STORED_ID = /^(?:[a-z][a-z0-9-]{0,23}~)?(?=[^~]*[A-Za-z0-9])[A-Za-z0-9_|:.-]{1,64}$/;
export const STORED_ID_CHARS_MAX = ORGANISATION_CHARS_MAX + 1 + ID_CHARS_MAX;

/** Returns true for an id as it is stored, with or without an organisation in front. */
export function isId(text: string): boolean {
  return text.length <= STORED_ID_CHARS_MAX && STORED_ID.test(text);
}

/** Says what to send instead, for the mistakes that callers make most often. */
export function ruleFor(input: unknown): string {
  if (typeof input === 'number') return `${ID_RULE}; send the number as a string`;
  if (typeof input === 'string' && input.includes('@')) {
    return `${ID_RULE}; an e-mail address is personal, so send the id that your system has for the person`;
  }
  return ID_RULE;
}
