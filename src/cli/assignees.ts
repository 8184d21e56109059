import type { Texter } from '../campaigns/index.ts';
import { shown } from '../domain/errors.ts';
import type { Assignee } from '../domain/conversation.ts';
import type { Sources, Targets } from '../operations/index.ts';
import { misused } from './input.ts';
import { plain } from './output.ts';
import { resolveTexter } from './resolve.ts';

/** `pool`, `everyone`, or texters by id or name. */
export function sourcesOf(typed: string, texters: readonly Texter[]): Sources {
  return typed === 'pool' || typed === 'everyone' ? typed : { texterIds: texterIdsOf(typed, texters) };
}

export function targetsOf(typed: string, texters: readonly Texter[]): Targets {
  return typed === 'everyone' ? typed : { texterIds: texterIdsOf(typed, texters) };
}

/** The pool or one texter. */
export function assigneeOf(typed: string, texters: readonly Texter[]): Assignee {
  return typed === 'pool' ? null : resolveTexter(texters, typed).texterId;
}

/** `everyone` is all texters and the pool, when looking at what they hold. */
export function assigneesOf(typed: string, texters: readonly Texter[]): Assignee[] {
  const sources = sourcesOf(typed, texters);
  if (sources === 'pool') return [null];
  return sources === 'everyone' ? [null, ...texters.map(({ texterId }) => texterId)] : [...new Set(sources.texterIds)];
}

/** An empty list stays one: whoever needs somebody in it refuses it. */
function texterIdsOf(typed: string, texters: readonly Texter[]): string[] {
  if (typed.trim() === '') return [];
  const words = typed.split(',').map((word) => word.trim());
  return words.map((word) => {
    if (word === '') throw misused('texters with one comma between them', shown(typed));
    if (word === 'pool' || word === 'everyone') throw misused(`"${word}" on its own, or texters`, shown(typed));
    return resolveTexter(texters, word).texterId;
  });
}

/** Names for people to read, by assignee. */
export class AssigneeNames {
  private readonly names: ReadonlyMap<string, string>;

  constructor(texters: readonly Texter[]) {
    this.names = new Map(texters.map(({ texterId, name }) => [texterId, plain(name)]));
  }

  of(assigneeId: Assignee): string {
    return assigneeId === null ? 'pool' : (this.names.get(assigneeId) ?? assigneeId);
  }
}
