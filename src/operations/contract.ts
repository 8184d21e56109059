import { z } from 'zod';
import { STATUSES } from '../domain/conversation.ts';
import { SPREADS } from '../domain/dealing.ts';
import type { OperationRequest } from './request.ts';
import { actorId, campaignId, conversationId, count, COUNT_MAX, operationId, texterId } from '../domain/ids.ts';
import { parseWith, type Unchanged } from '../domain/parse.ts';

/** More texters than any campaign has; a longer list is a mistake or an attack. */
const TEXTERS_MAX = 2_000;
const REASON_CHARS_MAX = 200;
const texters = z.strictObject({ texterIds: z.array(texterId).max(TEXTERS_MAX) });
const namedSources = z.strictObject({ texterIds: z.array(texterId).min(1).max(TEXTERS_MAX) });
const status = z.enum(['any', ...STATUSES]).describe('"any" is truly all, awaiting-contact and closed too.');

const asked = {
  operationId,
  campaignId,
  actorId: actorId.optional(),
  reason: z.string().max(REASON_CHARS_MAX).optional().describe('Kept with the operation. Nothing personal.'),
};

const one = {
  ...asked,
  conversationId,
  expectedAssigneeId: texterId.nullable().optional().describe('Skipped when somebody else holds it. null: the pool.'),
};

export const reassignRequest = z.strictObject({
  kind: z.literal('reassign'),
  ...asked,
  from: z.union([z.enum(['pool', 'everyone']), namedSources], {
    error: `must be "pool", "everyone" or {"texterIds": [1 to ${TEXTERS_MAX} ids]}`,
  }),
  to: z.union([z.literal('everyone'), texters], {
    error: `must be "everyone" or {"texterIds": [up to ${TEXTERS_MAX} ids]}`,
  }),
  status,
  count: count.optional().describe('How many to move; without it, all.'),
  spread: z.enum(SPREADS).default('even'),
});

export const unassignRequest = z.strictObject({
  kind: z.literal('unassign'),
  ...asked,
  from: z.union([z.literal('everyone'), namedSources], {
    error: `must be "everyone" or {"texterIds": [1 to ${TEXTERS_MAX} ids]}`,
  }),
  status,
  count: count.optional().describe('How many to release; without it, all, which must be confirmed.'),
  confirm: z.int().min(0).max(COUNT_MAX).optional().describe('How many the preview said. Refused when there are more.'),
});

export const reassignOneRequest = z.strictObject({
  kind: z.literal('reassign-one'),
  ...one,
  to: z.strictObject({ texterIds: z.tuple([texterId]) }),
});

export const unassignOneRequest = z.strictObject({ kind: z.literal('unassign-one'), ...one });

export const undoRequest = z.strictObject({
  kind: z.literal('undo'),
  ...asked,
  undoes: operationId.describe('The operation or claim to undo: what it moved and nobody touched since goes back.'),
});

export const operationRequest = z.discriminatedUnion('kind', [
  reassignRequest,
  unassignRequest,
  reassignOneRequest,
  unassignOneRequest,
  undoRequest,
]);

type Kind = z.input<typeof operationRequest>['kind'];

/** A request as its caller writes it, before defaults. The method that takes it says its kind. */
export type RequestInput<K extends Kind> = Unchanged<
  Omit<Extract<z.input<typeof operationRequest>, { kind: K }>, 'kind'>
>;

export const cancelRequest = z.strictObject({
  ...asked,
  operationId: operationId.describe('The operation, or waiting claim, that is to stop.'),
});

/** Checks a request from outside. Throws a `bad-request` refusal that says where, what was expected and what came. */
export function parseRequest(input: unknown): OperationRequest {
  return parseWith(operationRequest, input);
}
