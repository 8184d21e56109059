import type { Texter } from './campaign.ts';
import { foldedText, visibleText } from '../domain/visible-text.ts';

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
  private readonly texters: readonly Texter[];
  private readonly byId: ReadonlyMap<string, Texter>;
  private readonly byName: ReadonlyMap<string, readonly Texter[]>;
  private foldedTexters: Folded | undefined;

  constructor(texters: readonly Texter[]) {
    this.texters = texters;
    this.byId = new Map(texters.map((texter) => [texter.texterId, texter]));
    this.byName = groupedBy(texters, ({ name }) => visibleText(name));
  }

  /**
   * Returns every texter whose id or name the word is: none, one, or several if the word is ambiguous. Case and forms of
   * Unicode make a difference only where an id or a name is equal to the word.
   */
  find(typed: string): readonly Texter[] {
    const { word, isId, isName } = readWord(typed);
    const byId = isId ? this.byId.get(word) : undefined;
    const named = isName ? (this.byName.get(word) ?? []) : [];
    const exact = new Set([...(byId ? [byId] : []), ...named]);
    if (exact.size > 0) return [...exact];
    const folded = foldedText(word);
    const { byId: ids, byName: names } = this.folded();
    return [...new Set([...((isId && ids.get(folded)) || []), ...((isName && names.get(folded)) || [])])];
  }

  /** Few words need it. */
  private folded(): Folded {
    this.foldedTexters ??= {
      byId: groupedBy(this.texters, ({ texterId }) => foldedText(texterId)),
      byName: groupedBy(this.texters, ({ name }) => foldedText(name)),
    };
    return this.foldedTexters;
  }
}

type Folded = Readonly<Record<'byId' | 'byName', ReadonlyMap<string, readonly Texter[]>>>;

function groupedBy(texters: readonly Texter[], keyOf: (texter: Texter) => string): Map<string, Texter[]> {
  const groups = new Map<string, Texter[]>();
  for (const texter of texters) groups.set(keyOf(texter), [...(groups.get(keyOf(texter)) ?? []), texter]);
  return groups;
}
