import { foldedText } from '../domain/visible-text.ts';

/** With more changes, two words have nothing to do with each other. */
const CHANGES_MAX = 2;
const SUGGESTED_MAX = 3;
/** A shorter beginning fits too many names. */
const BEGINNING_CHARS_MIN = 3;

/** Returns "; did you mean Kevin?" for the words that are almost the typed one or have a part that begins with it, or nothing. */
export function didYouMean(typed: string, words: readonly string[]): string {
  const letters = lettersOf(typed);
  const near = [...new Set(words)]
    .map((word) => ({ word, distance: distanceTo(lettersOf(word), letters) }))
    .filter(({ word, distance }) => distance <= Math.min(CHANGES_MAX, Math.floor(word.length / 3)))
    .sort((a, b) => a.distance - b.distance)
    .slice(0, SUGGESTED_MAX);
  return near.length === 0 ? '' : `; did you mean ${OR.format(near.map(({ word }) => word))}?`;
}

const OR = new Intl.ListFormat('en', { type: 'disjunction' });

const MARKS = /\p{M}/gu;
/** Letters that Unicode does not take apart. */
const PLAIN_LETTERS: ReadonlyMap<string, string> = new Map(
  Object.entries({ ł: 'l', ø: 'o', đ: 'd', ð: 'd', ħ: 'h', ı: 'i', æ: 'ae', œ: 'oe', ß: 'ss', þ: 'th' }),
);

/** The letters without their accents, as people type a name on another keyboard. */
function lettersOf(text: string): string {
  const letters = foldedText(text).normalize('NFD').replace(MARKS, '');
  return [...letters].map((letter) => PLAIN_LETTERS.get(letter) ?? letter).join('');
}

/** The beginning of a word of a name counts as one change. */
function distanceTo(name: string, typed: string): number {
  const isPart = typed.length >= BEGINNING_CHARS_MIN && ` ${name}`.includes(` ${typed}`);
  return Math.min(changesBetween(typed, name), isPart ? 1 : Infinity);
}

/** Counts the letters that differ, are missing or are too many. */
function changesBetween(a: string, b: string): number {
  if (Math.abs(a.length - b.length) > CHANGES_MAX) return Infinity;
  let row = Array.from({ length: b.length + 1 }, (_, index) => index);
  for (let i = 1; i <= a.length; i += 1) {
    const next = [i];
    for (let j = 1; j <= b.length; j += 1) {
      const replaced = (row[j - 1] ?? 0) + (a[i - 1] === b[j - 1] ? 0 : 1);
      next.push(Math.min(replaced, (row[j] ?? 0) + 1, (next[j - 1] ?? 0) + 1));
    }
    row = next;
  }
  return row[b.length] ?? Infinity;
}
