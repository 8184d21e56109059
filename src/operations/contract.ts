import { z } from 'zod';
import { STATUSES } from '../domain/conversation.ts';
import { SPREADS } from '../domain/dealing.ts';
import type { OperationKind } from '../domain/operation.ts';
import { actorId, campaignId, conversationId, count, COUNT_MAX, operationId, texterId } from '../domain/ids.ts';
import { parseWith, type DeepReadonly } from '../domain/requests.ts';

/** More texters than any campaign has. A longer list is a mistake or an attack. */
const TEXTERS_MAX = 2_000;
const REASON_CHARS_MAX = 200;

/** Every kind is one of the kinds that the database stores. */
const kindOf = <Kind extends OperationKind>(kind: Kind) => z.literal(kind);

const texters = z.strictObject({ texterIds: z.array(texterId).max(TEXTERS_MAX) });
const atLeastOneTexter = z.strictObject({ texterIds: z.array(texterId).min(1).max(TEXTERS_MAX) });
const status = z.enum(['any', ...STATUSES]).describe('"any" means every status, awaiting-contact and closed included.');

const common = {
  operationId,
  campaignId,
  actorId: actorId.optional(),
  reason: z.string().max(REASON_CHARS_MAX).optional().describe('Stored with the operation. Nothing personal.'),
};

const oneConversation = {
  ...common,
  conversationId,
  expectedAssigneeId: texterId
    .nullable()
    .optional()
    .describe('The conversation is skipped when it has another assignee. null: the pool.'),
};

const reassignRequest = z.strictObject({
  kind: kindOf('reassign'),
  ...common,
  from: z.union([z.enum(['pool', 'everyone']), atLeastOneTexter], {
    error: `must be "pool", "everyone" or {"texterIds": [1 to ${TEXTERS_MAX} ids]}`,
  }),
  to: z.union([z.literal('everyone'), texters], {
    error: `must be "everyone" or {"texterIds": [up to ${TEXTERS_MAX} ids]}`,
  }),
  status,
  count: count.optional().describe('How many conversations to move. Default: all.'),
  spread: z.enum(SPREADS).default('even'),
});

const unassignRequest = z.strictObject({
  kind: kindOf('unassign'),
  ...common,
  from: z.union([z.literal('everyone'), atLeastOneTexter], {
    error: `must be "everyone" or {"texterIds": [1 to ${TEXTERS_MAX} ids]}`,
  }),
  status,
  count: count.optional().describe('How many conversations to unassign. Default: all, which needs "confirm".'),
  confirm: z
    .int()
    .min(0)
    .max(COUNT_MAX)
    .optional()
    .describe('The number that the preview showed. The operation is refused when more conversations match.'),
});

const reassignOneRequest = z.strictObject({
  kind: kindOf('reassign-one'),
  ...oneConversation,
  to: z.strictObject({ texterIds: z.tuple([texterId]) }),
});

const unassignOneRequest = z.strictObject({ kind: kindOf('unassign-one'), ...oneConversation });

const undoRequest = z.strictObject({
  kind: kindOf('undo'),
  ...common,
  undoes: operationId.describe(
    'The operation or claim to undo. Each conversation goes back if nothing has moved it since.',
  ),
});

export const operationRequest = z.discriminatedUnion('kind', [
  reassignRequest,
  unassignRequest,
  reassignOneRequest,
  unassignOneRequest,
  undoRequest,
]);

/** A single conversation has no preview: it moves, or its receipt says why not. */
export const previewRequest = z.discriminatedUnion('kind', [reassignRequest, unassignRequest, undoRequest]);

export const cancelRequest = z.strictObject({
  ...common,
  operationId: operationId.describe('The operation or waiting claim to cancel.'),
});

export type OperationRequest = DeepReadonly<z.output<typeof operationRequest>>;
export type RequestKind = Exclude<OperationKind, 'self-assign'>;
export type RequestOf<Kind extends RequestKind> = Extract<OperationRequest, { kind: Kind }>;

export type ReassignRequest = RequestOf<'reassign'>;
export type UnassignRequest = RequestOf<'unassign'>;
export type UndoRequest = RequestOf<'undo'>;
export type BulkRequest = ReassignRequest | UnassignRequest;
export type OneRequest = RequestOf<'reassign-one' | 'unassign-one'>;
export type CancelRequest = DeepReadonly<z.output<typeof cancelRequest>>;

/**
 * `everyone` means the pool, all texters of the campaign, and assignees who are not on the campaign any more. These can be
 * named too.
 */
export type Sources = ReassignRequest['from'];
/** `everyone` means all active texters of the campaign. */
export type Targets = ReassignRequest['to'];

/** A request as callers write it, before defaults. The producer's method adds the kind. */
export type RequestInput<Kind extends RequestKind> = DeepReadonly<
  Omit<Extract<z.input<typeof operationRequest>, { kind: Kind }>, 'kind'>
>;
export type PreviewRequest = DeepReadonly<z.input<typeof previewRequest>>;
export type CancelInput = DeepReadonly<z.input<typeof cancelRequest>>;

/** Parses a request. Throws a `bad-request` refusal that names the field. */
export function parseRequest(input: unknown): OperationRequest {
  return parseWith(operationRequest, input);
}

export function isOne(request: OperationRequest): request is OneRequest {
  return 'conversationId' in request;
}
