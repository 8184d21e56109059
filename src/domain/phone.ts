import {
  getCountryCallingCode,
  isSupportedCountry,
  parsePhoneNumberFromString,
  type NumberType,
  type PhoneNumber,
} from 'libphonenumber-js/max';

/**
 * Reads phone numbers. Import this file with `import()` where numbers are read: its tables take 0.15 seconds to load, and
 * most processes read no number.
 */

/** A phone number in the form of E.164, such as "+12025550199", or the reason why a text is none. */
export type PhoneReading = { readonly phone: string } | { readonly problem: string };

/** Returns the ISO 3166 code of a country in upper case, such as "US", or `undefined` for other words. */
export function countryOf(code: string): string | undefined {
  const upper = code.trim().toUpperCase();
  return isSupportedCountry(upper) ? upper : undefined;
}

const INVISIBLE = /\p{Default_Ignorable_Code_Point}/gu;
/** What spreadsheets and address books put around a number: `'2025550199`, `="2025550199"`, `tel:2025550199`, `2025550199.0`. */
const WRAPPINGS: readonly (readonly [RegExp, string])[] = [
  [/^'/, ''],
  [/^="(.*)"$/, '$1'],
  [/^(?:tel|p):/i, ''],
  [/^(\d+)\.0+$/, '$1'],
];
/** Some countries write a comma before the decimals. */
const SCIENTIFIC = /^(\d)[.,](\d+)e\+?(\d+)$/i;
/** A spreadsheet has written a comma before every three digits. Two phone numbers in one cell never look like this. */
const GROUPED = /^\d{1,3}(?:,\d{3}){3,4}$/;

const FORMULA = /^[-=@]/;

/** Texts that mean something else, or two numbers. The library would read a number in some of them. */
const UNREADABLE: readonly (readonly [RegExp, string])[] = [
  [SCIENTIFIC, 'the phone number has lost digits in a spreadsheet'],
  [FORMULA, 'the phone number begins like a formula'],
  [/\d[ ,;]*(?:x|ext|extension)[.: ]*\d{1,6}$/i, 'the phone number has an extension'],
  [/\p{L}/u, 'the phone number contains letters'],
  [/^\d+\.\d+$/, 'the phone number is a decimal number'],
  [/\+.*\+/, 'the phone number has two plus signs'],
];

const DATE = /^(?:\d{4}-\d{2}-\d{2}|\d{1,2}\/\d{1,2}\/\d{2,4})(?:$|[T ]\d{1,2}:)/;

/** What people and systems write between two numbers of one cell. */
const BETWEEN_NUMBERS = /\s*(?::::|[/,;|])\s*/;
/** In some countries, people write a slash after the area code: `0171/3920004`. A number is longer. */
const AFTER_AREA_CODE = /^(?=(?:\D*\d){2,6}\D*\/)(\+?[(\d) ]+)\/(?=\s?[1-9])/;

const UNREACHABLE = ['FIXED_LINE', 'TOLL_FREE', 'PREMIUM_RATE', 'SHARED_COST', 'PAGER', 'UAN', 'VOICEMAIL'];

/**
 * Reads a phone number. A number without a country code is read as one of `country`; `null`: such numbers are not read,
 * because a wrong country makes another person's number of it. The problem never repeats the text.
 */
export function readPhone(text: string, country: string | null): PhoneReading {
  const cell = unwrapped(text);
  if (cell === '') return { problem: 'the phone number is missing' };
  if (DATE.test(cell)) return { problem: 'the phone number is a date' };
  const plain = cell.replace(AFTER_AREA_CODE, '$1 ');
  if (!hasSeveralNumbers(plain)) return readOne(plain, country);
  const [first, ...others] = plain.split(BETWEEN_NUMBERS).map((each) => readOne(each, country));
  const isSame = first && 'phone' in first && others.every((other) => 'phone' in other && other.phone === first.phone);
  return isSame ? first : { problem: 'the cell has more than one phone number' };
}

/** A comma does not separate numbers in a formula, in an error such as `#N/A`, or in scientific notation. */
function hasSeveralNumbers(plain: string): boolean {
  if (FORMULA.test(plain) || SCIENTIFIC.test(plain) || !/\d/.test(plain)) return false;
  return BETWEEN_NUMBERS.test(plain);
}

function readOne(plain: string, country: string | null): PhoneReading {
  const unreadable = UNREADABLE.find(([pattern]) => pattern.test(plain));
  if (unreadable) return { problem: unreadable[1] };
  const parsed = parse(plain, country);
  if (!parsed) return { problem: problemOf(plain, country) };
  const { number, type } = parsed;
  if (number.ext !== undefined) return { problem: 'the phone number has an extension' };
  if (type !== undefined && UNREACHABLE.includes(type)) return { problem: 'the phone number is not a mobile number' };
  return { phone: number.number };
}

/** Returns the number of E.164 that a stored phone number means, or `undefined`. Accepts fixed lines too. */
export function canonicalPhone(stored: string, country: string | null): string | undefined {
  return parse(stored, country)?.number.number;
}

/**
 * Returns the forms in which the conversations of a phone number may be stored: E.164, and the forms of an earlier version,
 * which only removed punctuation. National forms are those of `country`, so that they name no other person.
 */
export function storedSpellings(phone: string, country: string | null): readonly string[] {
  const number = parse(phone, country)?.number;
  if (!number) return [phone];
  const digits = number.number.slice(1);
  const spellings = [phone, number.number, digits, `00${digits}`, `011${digits}`];
  if (country === null || number.countryCallingCode !== callingCodeOf(country)) return [...new Set(spellings)];
  return [...new Set([...spellings, number.nationalNumber, `0${number.nationalNumber}`])];
}

/** Returns the digits of a number without the code of its country, or `undefined` when it cannot be read. */
export function nationalNumber(phone: string, country: string | null): string | undefined {
  return parse(phone, country)?.number.nationalNumber;
}

function callingCodeOf(country: string): string | undefined {
  return isSupportedCountry(country) ? getCountryCallingCode(country) : undefined;
}

function unwrapped(text: string): string {
  let plain = text.normalize('NFKC').replace(INVISIBLE, '').trim();
  for (const [pattern, replacement] of WRAPPINGS) plain = plain.replace(pattern, replacement);
  if (GROUPED.test(plain)) return plain.replaceAll(',', '');
  return plain.replace(SCIENTIFIC, withEveryDigit);
}

/** Writes scientific notation out if it has all digits of the number: as many decimals as its exponent. */
function withEveryDigit(text: string, first: string, decimals: string, exponent: string): string {
  return decimals.length === Number(exponent) ? first + decimals : text;
}

/**
 * The national reading comes first, because some countries dial 00 and another digit. If it is no valid number, 00 at the
 * start stands for the plus sign of an international number.
 */
function parse(text: string, country: string | null): Parsed | undefined {
  return parseValid(text, country) ?? parseValid(text.replace(/^\(?00\)?/, '+'), country);
}

interface Parsed {
  readonly number: PhoneNumber;
  readonly type: NumberType;
}

function parseValid(text: string, country: string | null): Parsed | undefined {
  const options = {
    extract: false,
    ...(country !== null && isSupportedCountry(country) && { defaultCountry: country }),
  };
  const number = parsePhoneNumberFromString(text, options);
  if (!number) return undefined;
  // A number with a type is valid. Asking for both doubles the time.
  const type = number.getType();
  return type !== undefined || number.isValid() ? { number, type } : undefined;
}

function problemOf(text: string, country: string | null): string {
  if (/^\+|^\(?00/.test(text)) return 'the phone number is not valid';
  return country === null
    ? 'the phone number has no country code, and neither the campaign nor --country names a country'
    : `the phone number is not valid in the country ${country}`;
}
