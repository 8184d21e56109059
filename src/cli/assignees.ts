import { readWord, TexterWords } from '../campaigns/index.ts';
import type { Assignee } from '../domain/conversation.ts';
import { shown } from '../domain/shown.ts';
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
  return { texterIds: await Promise.all(wordsOf(typed).map((word) => findSource(of, word))) };
}

/** Reads `everyone`, a list of texters by id or name, or such a list with a number for each: `A=30,B=50`. */
export function targetsOf(typed: string, of: TextersOf): Targets {
  if (typed === 'everyone') return typed;
  const words = typed.split(',').map((word) => readNumbered(word.trim(), of));
  const numbered = words.filter((word) => word !== undefined);
  if (numbered.length === 0) return { texterIds: wordsOf(typed).map((word) => findTexter(of, word).texterId) };
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

/** Returns an empty list for an empty text. The callers refuse it, each in its own words. */
function wordsOf(typed: string): string[] {
  if (typed.trim() === '') return [];
  const words = typed.split(',').map((word) => word.trim());
  for (const word of words) {
    if (word === '') {
      const expected = 'texters with one comma between them';
      throw misused(`there is an empty name in ${shown(typed)}`, { expected, received: shown(typed) });
    }
    if (word === 'pool' || word === 'everyone') {
      const expected = `"${word}" alone, or a list of texters`;
      throw misused(`"${word}" cannot be combined with texters`, { expected, received: shown(typed) });
    }
  }
  return words;
}
