import { headerKey } from './fields.ts';

/*
 * Consent is not a field like others: a column that is overlooked means texts to people who have asked for none. So a column
 * that speaks of consent is read, or named as ignored, or the whole source is refused.
 */

const TEXT_CHANNEL = 'sms|text|texts|texting|txt|p2p|p2ptext|mobile|cell|cellphone';
const CHANNEL = `${TEXT_CHANNEL}|campaign|contact`;
const OUT = 'optout|optedout|unsubscribed?|donottext|donotcontact|donotcall|dnc|dnt';
const IN = 'optin|optedin|consent';
const OUT_KEY = new RegExp(
  `^(?:is|has)?(?:${CHANNEL})?(?:${OUT})(?:${CHANNEL})?(?:at|on|date|time|timestamp|status|flag)?$`,
);
const IN_KEY = new RegExp(
  `^(?:is|has)?(?:(?:${TEXT_CHANNEL})(?:${IN})|(?:${IN})(?:${TEXT_CHANNEL})|acceptssmsmarketing)(?:status|flag)?$`,
);
/** When and where somebody signed up for a mailing list, in exports of Mailchimp. */
const OF_SIGN_UP: readonly string[] = ['optintime', 'optinip'];

/** Returns the field of a consent column whose meaning is certain, or `undefined`. */
export function consentField(header: string): 'opted_out' | 'opted_in' | undefined {
  const key = headerKey(header);
  if (OUT_KEY.test(key)) return 'opted_out';
  return IN_KEY.test(key) ? 'opted_in' : undefined;
}

const CAMEL_CASE = /(\p{Ll})(?=\p{Lu})/gu;
const CONSENT_WORD =
  /opt(?:ed)?(?:in|out)|consent|unsub|^opt(?:s|ed)?$|^(?:subscribed|dnc|dnt|dne|gdpr|tcpa)$|do(?:not|nt)(?:call|text|contact|mail|email|sms)|^accepts?(?:sms|text|email|marketing)/;
/** Such a word can be part of another sentence, so it counts only in a short header. */
const STOP_WORD = /^(?:stop|stops|stopped)$/;
const DO_NOT = /(?:^| )(?:do not|don t|dont)(?: |$)/;
const SHORT_HEADER_WORDS_MAX = 4;
/** A form asks for consent: "Can we text you?", "Text OK", "I agree to receive SMS". */
const ASKING = /^(?:can|may|ok|okay|agree|agrees|agreed|allow|allows|allowed|permission|permitted|receive|wants?)$/;
const MESSAGES = /^(?:text|texts|texting|txt|sms)$/;

/** Returns true for a header that may say who wants no messages, or who has agreed to some. */
export function speaksOfConsent(header: string): boolean {
  if (OF_SIGN_UP.includes(headerKey(header))) return false;
  const words = header
    .replace(CAMEL_CASE, '$1 ')
    .toLowerCase()
    .split(/[^\p{L}\p{N}]+/u)
    .filter((word) => word !== '');
  const inPairs = words.map((word, index) => word + (words[index + 1] ?? ''));
  if ([...words, ...inPairs].some((word) => CONSENT_WORD.test(word))) return true;
  if (words.some((word) => ASKING.test(word)) && words.some((word) => MESSAGES.test(word))) return true;
  if (words.length > SHORT_HEADER_WORDS_MAX) return false;
  return words.some((word) => STOP_WORD.test(word)) || DO_NOT.test(words.join(' '));
}

const NUMBER_OF_FLAG = /^([01])\.0+$/;
const NO_WORD = /[^\p{L}\p{N}]/gu;
const DATE = /^(?:\d{4}-\d{1,2}-\d{1,2}|\d{1,2}[./-]\d{1,2}[./-]\d{2,4})(?:\D|$)/;
const YES = ['true', 'yes', 'y', 't', '1', 'x', 'on'];
const NO = ['false', 'no', 'n', 'f', '0', 'off'];
const NOTHING = ['', 'null', 'none', 'na', 'unknown', 'notset'];
/** The words with which a person ends messages to a number, and what systems write for it. */
const OUT_WORDS = [
  ...['stop', 'stopall', 'end', 'quit', 'cancel', 'unsubscribe', 'unsubscribed', 'optout', 'optedout', 'out'],
  ...['unsub', 'donottext', 'donotcontact', 'donotcall', 'donotsms', 'dnc', 'neversubscribed'],
  ...['donttext', 'dontcontact', 'dontcall'],
];
/** Those that mean the same in any column. A survey may have "out" or "cancel". */
const OUT_ANYWHERE = new Set([
  ...['unsubscribe', 'unsubscribed', 'unsub', 'optout', 'optedout', 'stop', 'stopall', 'dnc'],
  ...['donottext', 'donotcontact', 'donotcall', 'donotsms', 'donttext', 'dontcontact', 'dontcall'],
]);
const PERHAPS_OUT = /unsub|opt|do ?no?['’]?t|dnc|stop/i;
const BETWEEN_TAGS = /[,;|/()]/;
const IN_WORDS = ['start', 'optin', 'optedin', 'in', 'subscribed'];

/**
 * Returns whether a cell says that the person has opted out, or `undefined` for a text that cannot be read. A moment in a
 * column for opt-outs is the moment of the opt-out. An empty cell, or "unknown", says nothing.
 */
export function saysOptedOut(field: 'opted_out' | 'opted_in', text: string): boolean | undefined {
  const word = text.replace(NUMBER_OF_FLAG, '$1').toLowerCase().replace(NO_WORD, '');
  if (OUT_WORDS.includes(word)) return true;
  if (IN_WORDS.includes(word) || NOTHING.includes(word)) return false;
  const isYes = YES.includes(word) || DATE.test(text);
  if (isYes || NO.includes(word)) return isYes === (field === 'opted_out');
  return undefined;
}

/** Returns true for a cell that says, in any column, that the person wants no messages. One of several tags counts. */
export function saysOutAnywhere(text: string): boolean {
  if (!PERHAPS_OUT.test(text)) return false;
  return text.split(BETWEEN_TAGS).some((tag) => OUT_ANYWHERE.has(tag.toLowerCase().replace(NO_WORD, '')));
}

/** Returns whether a cell says yes to a question such as "is this number wrong?", or `undefined`. */
export function saysYes(text: string): boolean | undefined {
  const word = text.replace(NUMBER_OF_FLAG, '$1').toLowerCase();
  if (YES.includes(word)) return true;
  return NO.includes(word) || NOTHING.includes(word) ? false : undefined;
}
