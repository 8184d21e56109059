import { z } from 'zod';
import type { ClaimRequest } from '../claims/index.ts';
import type { OperationRequest } from '../operations/index.ts';
import { operationState, type OperationBody } from './operation-shapes.ts';
import { instant } from './shapes.ts';

/** Why a texter gives conversations back. A closed set: it is stored with the operation as its reason. */
export const GIVE_BACK_REASONS = [
  'done-for-today',
  'no-time',
  'other-language',
  'knows-the-contact',
  'needs-help',
  'other',
] as const;

const result = z
  .object({
    conversationId: z.string(),
    result: z.enum(['given-back', 'not-yours']).describe('`not-yours`: the texter did not have it at that moment.'),
  })
  .meta({ id: 'GiveBackResult' });
const ownError = z.object({ code: z.string(), message: z.string() }).meta({ id: 'OwnOperationError' });

/** An operation as the texter sees it who has sent it. It names no other texter, and no conversation of another one. */
export const ownOperation = z
  .object({
    operationId: z.string(),
    kind: z.enum(['claim', 'give-back']),
    state: operationState,
    acceptedAt: instant.nullable(),
    endedAt: instant.nullable(),
    moved: z.int().nullable().describe('How many conversations the texter received or gave back; null until the end.'),
    shortBecause: z.string().nullable().describe('Why fewer conversations moved than the request asked for.'),
    conversationIds: z.array(z.string()).optional().describe('Of a claim: the conversations that the texter received.'),
    results: z.array(result).optional().describe('What became of each conversation that was given back by its id.'),
    error: ownError.nullable().describe('Why the operation was refused.'),
  })
  .meta({ id: 'OwnOperation' });

export type OwnOperation = z.output<typeof ownOperation>;

export function toOwnOperation(operation: OperationBody): OwnOperation {
  const { operationId, kind, state, acceptedAt, endedAt, receipt, error, conversationIds } = operation;
  const results = receipt?.results?.map((each) => ({
    conversationId: each.conversationId,
    // The other reasons say something about a conversation that the texter does not have.
    result: each.result === 'moved' ? ('given-back' as const) : ('not-yours' as const),
  }));
  return {
    ...{ operationId, state, acceptedAt, endedAt },
    kind: kind === 'self-assign' ? 'claim' : 'give-back',
    moved: receipt?.moved ?? null,
    shortBecause: receipt?.shortBecause ?? null,
    ...(conversationIds && { conversationIds }),
    ...(results && { results }),
    error: error && { code: error.code, message: error.message },
  };
}

/**
 * Returns true for a claim of the texter, and for an operation that gives back only what the texter has. An app can name a
 * texter as the actor of another operation, which is not theirs to see.
 */
export function isOwnRequest(request: OperationRequest | ClaimRequest, texterId: string): boolean {
  if (request.kind === 'self-assign') return request.texterId === texterId;
  if (request.actorId !== texterId) return false;
  if (request.kind === 'unassign') {
    return request.from !== 'everyone' && request.from.texterIds.every((id) => id === texterId);
  }
  const isOwn = ({ expectedAssigneeId }: { readonly expectedAssigneeId?: string | null | undefined }): boolean =>
    expectedAssigneeId === texterId;
  return request.kind === 'unassign-list' && request.conversations.every(isOwn);
}
