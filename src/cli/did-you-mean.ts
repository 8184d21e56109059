import { foldedText } from '../domain/visible-text.ts';

/** With more changes, two words have nothing to do with each other. */
const CHANGES_MAX = 2;
const SUGGESTED_MAX = 3;

/** Returns "; did you mean Kevin?" for the words that are almost the typed one, or nothing. */
export function didYouMean(typed: string, words: readonly string[]): string {
  const folded = foldedText(typed);
  const near = [...new Set(words)]
    .map((word) => ({ word, distance: distanceOf(folded, foldedText(word)) }))
    .filter(({ word, distance }) => distance <= Math.min(CHANGES_MAX, Math.floor(word.length / 3)))
    .sort((a, b) => a.distance - b.distance)
    .slice(0, SUGGESTED_MAX);
  return near.length === 0 ? '' : `; did you mean ${OR.format(near.map(({ word }) => word))}?`;
}

const OR = new Intl.ListFormat('en', { type: 'disjunction' });

/** Counts the letters that differ, are missing or are too many. */
function distanceOf(a: string, b: string): number {
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
