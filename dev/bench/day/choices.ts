import type { AnyRequest } from '../../../test/support/any-request.ts';
import type { Random } from '../../../test/support/random.ts';

/** What an administrator knows when choosing a request. */
export interface Known {
  readonly campaignId: string;
  readonly texterIds: readonly string[];
  readonly random: Random;
  readonly newId: (prefix: string) => string;
  /** Returns a conversation of the campaign. */
  readonly pickConversation: () => string;
}

/** The requests of administrators that are one operation each. Each has a name for the report. */
export const CHOICES: Readonly<Record<string, (known: Known) => AnyRequest>> = {
  'pool to everyone, even': (known) => reassign(known, { from: 'pool', to: 'everyone', spread: 'even' }),
  'pool to everyone, level': (known) => reassign(known, { from: 'pool', to: 'everyone', spread: 'level' }),
  'everyone to everyone, level': (known) => reassign(known, { from: 'everyone', to: 'everyone', spread: 'level' }),
  'everyone to everyone, even': (known) => reassign(known, { from: 'everyone', to: 'everyone', spread: 'even' }),
  'one texter to everyone': (known) => reassign(known, { from: some(known, 1), to: 'everyone' }),
  'several to several': (known) => reassign(known, { from: some(known, 5), to: some(known, 5) }),
  'pool to several, a count': (known) => {
    return reassign(known, { from: 'pool', to: some(known, 5), count: known.random.between(50, 500) });
  },
  'needs-reply of everyone, level': (known) => {
    return reassign(known, { from: 'everyone', to: 'everyone', status: 'needs-reply', spread: 'level' });
  },
  'unassign several, a count': (known) => {
    const count = known.random.between(50, 2_000);
    return { kind: 'unassign', ...ids(known), status: 'not-started', from: some(known, 5), count, confirm: count };
  },
  'unassign everyone, a count': (known) => {
    const count = known.random.between(500, 5_000);
    return { kind: 'unassign', ...ids(known), status: 'not-started', from: 'everyone', count, confirm: count };
  },
  'reassign one conversation': (known) => {
    const [texterId = ''] = known.random.some(known.texterIds, 1);
    const conversationId = known.pickConversation();
    return { kind: 'reassign-one', ...ids(known), conversationId, to: { texterIds: [texterId] } };
  },
  'unassign one conversation': (known) => {
    return { kind: 'unassign-one', ...ids(known), conversationId: known.pickConversation() };
  },
};

/**
 * The choices that leave the pool empty. Administrators take such an operation back soon, because texters claim only
 * while the pool is filled.
 */
export const EMPTIES_POOL: ReadonlySet<string> = new Set([
  'pool to everyone, even',
  'pool to everyone, level',
  'everyone to everyone, level',
  'everyone to everyone, even',
]);

/** Unassigns that an administrator confirms with the number of a preview. */
export const CONFIRMED_CHOICES = {
  'unassign one texter, all': (known) => ({ ...ids(known), status: 'any', from: some(known, 1) }),
  'unassign everyone, all not started': (known) => ({ ...ids(known), status: 'not-started', from: 'everyone' }),
} as const satisfies Readonly<Record<string, (known: Known) => UnassignAll>>;

type Reassign = Extract<AnyRequest, { kind: 'reassign' }>;
export type UnassignAll = Omit<Extract<AnyRequest, { kind: 'unassign' }>, 'kind'>;

function reassign(known: Known, fields: Pick<Reassign, 'from' | 'to'> & Partial<Reassign>): AnyRequest {
  return { kind: 'reassign', status: 'any', ...ids(known), ...fields };
}

function ids({ campaignId, newId }: Known): { operationId: string; campaignId: string } {
  return { operationId: newId('op'), campaignId };
}

function some({ random, texterIds }: Known, count: number): { texterIds: string[] } {
  return { texterIds: random.some(texterIds, Math.min(count, Math.ceil(texterIds.length / 2))) };
}
