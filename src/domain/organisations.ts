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
