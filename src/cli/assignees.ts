import { readWord, TexterWords, type Texter } from '../campaigns/index.ts';
import type { Assignee } from '../domain/conversation.ts';
import { Refusal } from '../domain/errors.ts';
import { shown } from '../domain/visible-text.ts';
import type { Sources, Targets } from '../operations/index.ts';
import { misused } from './errors.ts';
import { findTexter, type CampaignSession, type TextersOf } from './lookup.ts';

type SourcesOf = TextersOf & Pick<CampaignSession, 'context'>;

/**
 * Reads `pool`, `everyone`, or a list of texters by id or name. Texters who are not on the campaign any more have only an
 * id.
 */
export async function sourcesOf(typed: string, of: SourcesOf): Promise<Sources> {
  if (typed === 'pool' || typed === 'everyone') return typed;
  return { texterIds: await Promise.all(wordsOf(typed, of.texters).map((word) => findSource(of, word))) };
}

/** Reads `everyone`, a list of texters by id or name, or such a list with a number for each: `A=30,B=50`. */
export function targetsOf(typed: string, of: TextersOf): Targets {
  if (typed === 'everyone') return typed;
  const typedWords = wordsOf(typed, of.texters);
  const words = typedWords.map((word) => readNumbered(word, of));
  const numbered = words.filter((word) => word !== undefined);
  if (numbered.length === 0) return { texterIds: typedWords.map((word) => findTexter(of, word).texterId) };
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

/** Reads `pool`, or one texter as {@link sourcesOf} does. */
export async function assigneeOf(typed: string, of: SourcesOf): Promise<Assignee> {
  return typed === 'pool' ? null : findSource(of, typed);
}

/** Lists the assignees that {@link sourcesOf} reads. `everyone` stands for the pool and every assignee. */
export async function assigneesOf(typed: string, of: SourcesOf): Promise<Assignee[]> {
  const sources = await sourcesOf(typed, of);
  if (sources === 'pool') return [null];
  if (sources !== 'everyone') return [...new Set(sources.texterIds)];
  const assignees = await of.context.stores.conversations.listAssignees(of.campaign.campaignId);
  return [null, ...new Set([...of.texters.map(({ texterId }) => texterId), ...assignees])];
}

/** Finds a texter of the campaign, or an id that conversations of the campaign are assigned to. */
async function findSource(of: SourcesOf, typed: string): Promise<string> {
  const { word, isId } = readWord(typed);
  if (isId && new TexterWords(of.texters).find(typed).length === 0) {
    const { conversations } = of.context.stores;
    const [assignee] = await conversations.listAssignees(of.campaign.campaignId, [word]);
    if (assignee !== undefined) return assignee;
  }
  return findTexter(of, typed).texterId;
}

/**
 * Splits at commas, but not in a name that has one. Returns an empty list for an empty text; the callers refuse it, each in
 * its own words.
 */
function wordsOf(typed: string, texters: readonly Texter[]): string[] {
  if (typed.trim() === '') return [];
  const known = new TexterWords(texters);
  const isTexter = (text: string): boolean =>
    known.find(text).length > 0 || known.find(text.replace(/=\d+$/, '')).length > 0;
  const parts = typed.split(',');
  const words: string[] = [];
  for (let at = 0; at < parts.length;) {
    const count = longestName(parts.slice(at), isTexter);
    words.push(
      parts
        .slice(at, at + count)
        .join(',')
        .trim(),
    );
    at += count;
  }
  for (const word of words) refuseWord(word, typed, words.length > 1);
  return words;
}

/** Returns how many of the parts make the longest name. Refuses a text that is also a list of other names. */
function longestName(parts: readonly string[], isTexter: (text: string) => boolean): number {
  for (let count = parts.length; count > 1; count -= 1) {
    const name = parts.slice(0, count).join(',').trim();
    if (!isTexter(name)) continue;
    if (!parts.slice(0, count).every((part) => isTexter(part))) return count;
    throw new Refusal('ambiguous-name', {
      message: `${shown(name)} is the name of a texter and also a list of texters; use their ids`,
      expected: 'the ids of the texters',
      received: shown(name),
    });
  }
  return 1;
}

function refuseWord(word: string, typed: string, isList: boolean): void {
  if (word === '') {
    const expected = 'texters with one comma between them';
    throw misused(`there is an empty name in ${shown(typed)}`, { expected, received: shown(typed) });
  }
  if (word !== 'pool' && word !== 'everyone') return;
  const expected = `"${word}" alone, or a list of texters`;
  const message = isList ? `"${word}" cannot be combined with texters` : `"${word}" cannot be used here`;
  throw misused(message, { expected, received: shown(typed) });
}
