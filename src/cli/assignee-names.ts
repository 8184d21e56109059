import type { Texter } from '../campaigns/index.ts';
import type { Assignee } from '../domain/conversation.ts';
import { visibleText } from '../domain/visible-text.ts';
import { plain } from './terminal.ts';

/** More names than this are a number in a sentence. */
const NAMED_MAX = 3;

/** Names of assignees for people. Texters with the same name are told apart by their ids. */
export class AssigneeNames {
  private readonly names: ReadonlyMap<string, string>;
  private readonly places: ReadonlyMap<string, number>;

  /** `texters`: in their order of joining. */
  constructor(texters: readonly Texter[]) {
    const seen = new Map<string, number>();
    for (const { name } of texters) seen.set(visibleText(name), (seen.get(visibleText(name)) ?? 0) + 1);
    this.names = new Map(
      texters.map(({ texterId, name }) => {
        const isOnlyOne = seen.get(visibleText(name)) === 1;
        return [texterId, isOnlyOne ? plain(name) : `${plain(name)} (${texterId})`];
      }),
    );
    this.places = new Map(texters.map(({ texterId }, index) => [texterId, index]));
  }

  of(assigneeId: Assignee): string {
    return assigneeId === null ? 'pool' : (this.names.get(assigneeId) ?? assigneeId);
  }

  /** Among other words: `"Smith, Jane"` is one texter. */
  inText(assigneeId: Assignee): string {
    const name = this.of(assigneeId);
    return name.includes(',') ? `"${name}"` : name;
  }

  list(assigneeIds: readonly Assignee[]): string {
    return assigneeIds.map((assigneeId) => this.inText(assigneeId)).join(', ');
  }

  /** For the middle of a sentence: "Kevin and Rebecca", "the pool", "12 texters". */
  inSentence(assigneeIds: readonly Assignee[]): string {
    const texterIds = assigneeIds.filter((assigneeId) => assigneeId !== null);
    const texters =
      texterIds.length > NAMED_MAX
        ? [`${texterIds.length} texters`]
        : this.sorted(texterIds).map((id) => this.inText(id));
    return AND.format(assigneeIds.includes(null) ? ['the pool', ...texters] : texters);
  }

  /** Errors name a texter by the id: "texter t_1 is paused". */
  inError(text: string): string {
    return text.replace(TEXTER_ID, (id) => this.inText(id));
  }

  /** Sorts by the order of joining. Those who are not on the campaign come after the others, and the pool comes last. */
  sorted<Id extends Assignee>(assigneeIds: readonly Id[]): Id[] {
    const placeOf = (id: Assignee): number => (id === null ? Infinity : (this.places.get(id) ?? this.places.size));
    return [...assigneeIds].sort((a, b) => {
      const [first, second] = [placeOf(a), placeOf(b)];
      return first === second ? 0 : first - second;
    });
  }
}

const TEXTER_ID = /(?<=\btexter )[\w.:|~-]+|[\w.:|~-]+(?= is both\b)/g;
const AND = new Intl.ListFormat('en', { type: 'conjunction' });
