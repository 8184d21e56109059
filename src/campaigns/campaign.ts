import { NAME_CHARS_MAX } from '../domain/ids.ts';
import { readName, shown } from '../domain/visible-text.ts';
import { Refusal } from '../domain/errors.ts';
import type { SelfAssignSettings } from '../domain/self-assign.ts';
import type { ChangeKind } from '../access/index.ts';
import { organisationOf } from '../domain/id-rules.ts';

export { SELF_ASSIGN_BATCH_MAX, SELF_ASSIGN_DEFAULT, type SelfAssignSettings } from '../domain/self-assign.ts';

export interface Campaign {
  readonly campaignId: string;
  readonly name: string;
  /** Conversations of a closed campaign can go back to the pool, but not to a texter. */
  readonly closed: boolean;
  /** The ISO 3166 code of the country of phone numbers without a country code; `null`: such numbers are not read. */
  readonly country: string | null;
  readonly selfAssign: SelfAssignSettings;
  /** The number of texters that ever joined. */
  readonly texterCount: number;
  readonly createdAt: Date;
}

/** A texter on one campaign. */
export interface Texter {
  readonly texterId: string;
  readonly name: string;
  /** A paused texter (`false`) keeps the assigned conversations and gets no more. */
  readonly active: boolean;
  /** The texter's place in the campaign's order of joining, from 1. */
  readonly joinedOrder: number;
}

/** Words that a command accepts in the place of a texter's name or id. */
const RESERVED_WORDS: readonly string[] = ['pool', 'everyone'];

/**
 * Returns the name of a campaign or texter as people see it, with single blanks and without invisible characters. Throws a
 * `bad-request` refusal.
 */
export function checkedName(name: string): string {
  const reading = readName(name);
  if ('broken' in reading) throw badName(`the name ${reading.broken}`, 'a name with such characters');
  const { length } = reading.name;
  if (length === 0) throw badName('the name must have a visible character', 'a name without one');
  if (length > NAME_CHARS_MAX) {
    throw badName(`the name must have at most ${NAME_CHARS_MAX} characters`, `${length} characters`);
  }
  return reading.name;
}

/** Throws a `bad-request` refusal when the name or id of a texter is a reserved word. */
export function refuseReservedWord(nameOrId: string): void {
  if (!RESERVED_WORDS.includes(nameOrId.toLowerCase())) return;
  throw new Refusal('bad-request', {
    message: `a texter cannot be called ${shown(nameOrId)}, because commands use this word in another sense`,
    expected: `a word other than ${RESERVED_WORDS.join(' and ')}`,
    received: shown(nameOrId),
  });
}

/** The refusal describes the name and does not repeat it. */
function badName(message: string, received: string): Refusal {
  const expected = `one line of 1 to ${NAME_CHARS_MAX} characters`;
  return new Refusal('bad-request', { message, expected, received });
}

/** Describes a change of a campaign or of its texters for the record. */
export function changeOf(
  kind: ChangeKind,
  campaignId: string,
  subjectIds: readonly string[] = [],
  values: Readonly<Record<string, unknown>> = {},
) {
  return { organisationId: organisationOf(campaignId), campaignId, kind, subjectIds, values };
}
