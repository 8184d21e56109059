import { Refusal, shown } from '../domain/errors.ts';

/** A campaign's rules for texters who ask for more. */
export interface SelfAssignSettings {
  readonly enabled: boolean;
  /** The most that one claim is given. */
  readonly batchMax: number;
  /** The most not-started conversations that a texter holds after a claim. */
  readonly openMax: number;
  /** No new ones while the texter holds more than this many that need a reply; `null`: no such rule. */
  readonly repliesMax: number | null;
}

export const SELF_ASSIGN_BATCH_MAX = 5_000;
export const SELF_ASSIGN_DEFAULT: SelfAssignSettings = {
  enabled: false,
  batchMax: 300,
  openMax: 300,
  repliesMax: null,
};

/** Words that stand where a texter may stand. */
const RESERVED_WORDS: readonly string[] = ['pool', 'everyone'];

export const NAME_CHARS_MAX = 200;

// A name is shown on terminals and written to files: what steers those has no place in it.
// eslint-disable-next-line no-control-regex
const CONTROL_CHARACTER = /[\u0000-\u001f\u007f-\u009f]/;

/** A campaign's or texter's name as it is kept: trimmed. Throws a `bad-request` refusal. */
export function checkedName(name: string): string {
  const trimmed = name.trim();
  if (trimmed === '') throw new Refusal('bad-request', { expected: 'a name', received: 'an empty one' });
  if (trimmed.length > NAME_CHARS_MAX) {
    const expected = `a name of at most ${NAME_CHARS_MAX} characters`;
    throw new Refusal('bad-request', { expected, received: `${trimmed.length}` });
  }
  if (CONTROL_CHARACTER.test(trimmed)) {
    throw new Refusal('bad-request', { expected: 'a name on one line', received: 'one with control characters' });
  }
  return trimmed;
}

/** Throws a `bad-request` refusal for a word that means something else where texters are named. */
export function refuseReserved(word: string): void {
  if (!RESERVED_WORDS.includes(word.toLowerCase())) return;
  const expected = `another word than ${RESERVED_WORDS.join(' and ')}, which have a meaning of their own`;
  throw new Refusal('bad-request', { expected, received: shown(word) });
}
