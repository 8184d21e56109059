/**
 * What an id may contain, and how it names its organisation. This file imports no library, so that errors and logs can use it.
 * `ids.ts` has the schemas of requests.
 */

/** Ids are parts of job ids, database keys and log lines, so they are short and consist of plain characters. */
export const ID_CHARS_MAX = 64;
export const ORGANISATION_CHARS_MAX = 24;
/** The ids of common systems fit: `auth0|1`, `-Nabc`, `a:b`. No other character has a meaning in keys, paths or logs. */
export const ID = /^[_|:.-]*[A-Za-z0-9][A-Za-z0-9_|:.-]*$/;
const ID_RULE = `must be 1 to ${ID_CHARS_MAX} letters, digits, "-", "_", ".", ":" or "|", with a letter or digit`;
/** An id as it is stored: an organisation other than the default one stands in front. */
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

/*
 * An organisation owns campaigns, their texters and their operations. The id of a campaign or operation contains its
 * organisation, `acme~c1`, so that ids of two organisations never collide, also in job ids and in keys of Redis. The ids of
 * the default organisation are plain. No id that a caller of the HTTP API chooses can contain the separator. A texter is
 * identified by the campaign and the texter id together, so texter ids stay plain.
 */

export const DEFAULT_ORGANISATION = 'default';

const SEPARATOR = '~';

/** The stored ids that do not belong to the default organisation. */
export const OF_ANOTHER_ORGANISATION = new RegExp(SEPARATOR);

/** Returns the id under which the campaign or operation of an organisation is stored. */
export function toStoredId(organisationId: string, outsideId: string): string {
  return organisationId === DEFAULT_ORGANISATION ? outsideId : organisationId + SEPARATOR + outsideId;
}

/** Returns the organisation that an id of a campaign or operation belongs to. */
export function organisationOf(storedId: string): string {
  const at = storedId.indexOf(SEPARATOR);
  return at === -1 ? DEFAULT_ORGANISATION : storedId.slice(0, at);
}

/** Returns the id as the organisation knows it. */
export function toOutsideId(storedId: string): string {
  return storedId.slice(storedId.indexOf(SEPARATOR) + 1);
}

/** Writes the ids in a text, such as an error message, as the organisation knows them. */
export function toOutsideText(organisationId: string, text: string): string {
  return organisationId === DEFAULT_ORGANISATION ? text : text.replaceAll(organisationId + SEPARATOR, '');
}
