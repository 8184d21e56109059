import { TexterWords } from '../campaigns/index.ts';
import type { Assignee } from '../domain/conversation.ts';
import { shown } from '../domain/errors.ts';
import type { Sources, Targets } from '../operations/index.ts';
import { misused } from './errors.ts';
import { findTexter, type TextersOf } from './lookup.ts';

/** Reads `pool`, `everyone`, or a list of texters by id or name. */
export function sourcesOf(typed: string, of: TextersOf): Sources {
  return typed === 'pool' || typed === 'everyone' ? typed : { texterIds: texterIdsOf(typed, of) };
}

/** Reads `everyone`, a list of texters by id or name, or such a list with a number for each: `A=30,B=50`. */
export function targetsOf(typed: string, of: TextersOf): Targets {
  if (typed === 'everyone') return typed;
  const words = typed.split(',').map((word) => readNumbered(word.trim(), of));
  const numbered = words.filter((word) => word !== undefined);
  if (numbered.length === 0) return { texterIds: texterIdsOf(typed, of) };
  if (numbered.length < words.length) {
    const expected = 'a number for each texter, such as A=30,B=50, or for none';
    throw misused('--to has numbers for some texters only', { expected, received: shown(typed) });
  }
  const counts = numbered.map(({ word, number }) => [findTexter(of, word).texterId, number] as const);
  if (new Set(counts.map(([texterId]) => texterId)).size < counts.length) {
    throw misused('--to names a texter twice', { expected: 'each texter once', received: shown(typed) });
  }
  return { counts: Object.fromEntries(counts) };
}

/** Reads a texter with a number, such as `Kevin=30`. Returns `undefined` for a word that names a texter as it is. */
function readNumbered(
  typed: string,
  { texters }: TextersOf,
): { readonly word: string; readonly number: number } | undefined {
  const [, word, number] = /^(.+)=(\d+)$/.exec(typed) ?? [];
  if (word === undefined || word === 'id' || word === 'name') return undefined;
  return new TexterWords(texters).find(typed).length > 0 ? undefined : { word: word.trim(), number: Number(number) };
}

/** Reads `pool`, or one texter by id or name. */
export function assigneeOf(typed: string, of: TextersOf): Assignee {
  return typed === 'pool' ? null : findTexter(of, typed).texterId;
}

/** Lists the assignees that {@link sourcesOf} reads. `everyone` stands for all texters and the pool. */
export function assigneesOf(typed: string, of: TextersOf): Assignee[] {
  const sources = sourcesOf(typed, of);
  if (sources === 'pool') return [null];
  return sources === 'everyone'
    ? [null, ...of.texters.map(({ texterId }) => texterId)]
    : [...new Set(sources.texterIds)];
}

/** Returns an empty list for an empty text. The callers refuse it, each in its own words. */
function texterIdsOf(typed: string, of: TextersOf): string[] {
  if (typed.trim() === '') return [];
  const words = typed.split(',').map((word) => word.trim());
  return words.map((word) => {
    if (word === '') {
      const expected = 'texters with one comma between them';
      throw misused(`there is an empty name in ${shown(typed)}`, { expected, received: shown(typed) });
    }
    if (word === 'pool' || word === 'everyone') {
      const expected = `"${word}" alone, or a list of texters`;
      throw misused(`"${word}" cannot be combined with texters`, { expected, received: shown(typed) });
    }
    return findTexter(of, word).texterId;
  });
}
