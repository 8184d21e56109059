import type { Texter } from './campaign.ts';
import { visibleText } from '../domain/visible-text.ts';

/** A word that a person or a file uses for a record: its id, its name, or one of both. */
export interface Word {
  readonly word: string;
  readonly isId: boolean;
  readonly isName: boolean;
}

const BY_ID = 'id=';
const BY_NAME = 'name=';

/** Reads a word. `id=` or `name=` in front says what it is, for the case that one id is the name of another record. */
export function readWord(typed: string): Word {
  const word = visibleText(typed);
  if (word.startsWith(BY_ID)) return { word: word.slice(BY_ID.length), isId: true, isName: false };
  if (word.startsWith(BY_NAME)) return { word: word.slice(BY_NAME.length), isId: false, isName: true };
  return { word, isId: true, isName: true };
}

/** Finds the texters of a campaign by the words that people and files use for them. */
export class TexterWords {
  private readonly byId: ReadonlyMap<string, Texter>;
  private readonly byName = new Map<string, Texter[]>();

  constructor(texters: readonly Texter[]) {
    this.byId = new Map(texters.map((texter) => [texter.texterId, texter]));
    for (const texter of texters) {
      const name = visibleText(texter.name);
      this.byName.set(name, [...(this.byName.get(name) ?? []), texter]);
    }
  }

  /** Returns every texter whose id or exact name the word is: none, one, or several if the word is ambiguous. */
  find(typed: string): readonly Texter[] {
    const { word, isId, isName } = readWord(typed);
    const byId = isId ? this.byId.get(word) : undefined;
    const named = isName ? (this.byName.get(word) ?? []) : [];
    return [...new Set([...(byId ? [byId] : []), ...named])];
  }
}
