import { z } from 'zod';
import { STATUSES } from '../domain/conversation.ts';
import { SPREADS, type OperationKind } from '../domain/operation.ts';
import {
  actorId,
  campaignId,
  conversationId,
  count,
  COUNT_MAX,
  operationId,
  texterId,
  traceparent,
} from '../domain/ids.ts';
import type { InputOfKind, RequestKind } from '../domain/inputs.ts';
import { Refusal } from '../domain/errors.ts';
import { parseWith, type DeepReadonly } from '../domain/requests.ts';

/** More texters than any campaign has. A longer list is a mistake or an attack. */
const TEXTERS_MAX = 2_000;
/** As many as a person ticks on a screen. All of them fit into one batch. */
const LISTED_MAX = 2_000;
const REASON_CHARS_MAX = 200;

/** Every kind is one of the kinds that the database stores. */
const kindOf = <Kind extends OperationKind>(kind: Kind) => z.literal(kind);

const texters = z.strictObject({ texterIds: z.array(texterId).max(TEXTERS_MAX) });
const atLeastOneTexter = z.strictObject({ texterIds: z.array(texterId).min(1).max(TEXTERS_MAX) });
/** How many conversations each target gets. Zero would be a target that is none. */
const counts = z.strictObject({
  counts: z
    .record(texterId, count)
    .refine((numbers) => Object.keys(numbers).length > 0, { error: 'must not be empty' })
    .refine((numbers) => Object.keys(numbers).length <= TEXTERS_MAX, {
      error: `must name at most ${TEXTERS_MAX} texters`,
    })
    .refine((numbers) => sumOf(numbers) <= COUNT_MAX, { error: `must add up to at most ${COUNT_MAX}` })
    .meta({ minProperties: 1, maxProperties: TEXTERS_MAX }),
});
const status = z.enum(['any', ...STATUSES]).describe('"any" means every status, awaiting-contact and closed included.');

/** A preview stores nothing, so its request needs no id. */
const unusedId = operationId.default('preview').describe('Not used by a preview.');

const ofCampaign = {
  campaignId,
  actorId: actorId.optional(),
  reason: z.string().max(REASON_CHARS_MAX).optional().describe('Stored with the operation. Nothing personal.'),
  traceparent: traceparent.optional(),
};

const common = { operationId, ...ofCampaign };

const oneConversation = {
  ...common,
  conversationId,
  expectedAssigneeId: texterId
    .nullable()
    .optional()
    .describe('The conversation is skipped when it has another assignee. null: the pool.'),
};

const reassignFields = {
  kind: kindOf('reassign'),
  ...common,
  from: z.union([z.enum(['pool', 'everyone']), atLeastOneTexter], {
    error: `must be "pool", "everyone" or {"texterIds": [1 to ${TEXTERS_MAX} ids]}`,
  }),
  to: z.union([z.literal('everyone'), texters, counts], {
    error: `must be "everyone", {"texterIds": [up to ${TEXTERS_MAX} ids]} or {"counts": {id: number}}`,
  }),
  status,
  count: count.optional().describe('How many conversations to move. Default: all.'),
  spread: z.enum(SPREADS).default('even'),
};

const MUST_BE_LEFT_OUT = { error: 'must be left out when "to" has a number for each target' };

/** A number for each target says how many conversations move, and how they are spread. */
function withoutContradiction<Id extends typeof operationId | typeof unusedId>(id: Id) {
  return z
    .strictObject({ ...reassignFields, operationId: id })
    .refine(({ to, count: total }) => !hasCounts(to) || total === undefined, { path: ['count'], ...MUST_BE_LEFT_OUT })
    .refine(({ to, spread }) => !hasCounts(to) || spread === 'even', { path: ['spread'], ...MUST_BE_LEFT_OUT });
}

const reassignRequest = withoutContradiction(operationId);

const unassignRequest = z.strictObject({
  kind: kindOf('unassign'),
  ...common,
  from: z.union([z.literal('everyone'), atLeastOneTexter], {
    error: `must be "everyone" or {"texterIds": [1 to ${TEXTERS_MAX} ids]}`,
  }),
  status,
  count: count
    .optional()
    .describe(
      'How many conversations to unassign. Default: all, which needs "confirm". So does a count above what matches.',
    ),
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

const listed = {
  ...common,
  conversations: z
    .array(z.strictObject({ conversationId, expectedAssigneeId: oneConversation.expectedAssigneeId }))
    .min(1)
    .max(LISTED_MAX)
    .refine((list) => new Set(list.map((each) => each.conversationId)).size === list.length, {
      error: 'must not list a conversation twice',
    })
    .meta({ uniqueItems: true }),
};

const reassignListRequest = z.strictObject({
  kind: kindOf('reassign-list'),
  ...listed,
  to: z.strictObject({ texterIds: z.tuple([texterId]) }),
});

const unassignListRequest = z.strictObject({ kind: kindOf('unassign-list'), ...listed });

const undoRequest = z.strictObject({
  kind: kindOf('undo'),
  ...common,
  undoes: operationId.describe(
    'The operation or claim to undo. Each conversation goes back if nothing has moved it since. An undo that is refused ' +
      'because this operation has not ended may be sent again under its id.',
  ),
  includeWorkedOn: z
    .boolean()
    .default(false)
    .describe('Also undo the moves of conversations whose status or messages have changed since.'),
});

export const operationRequest = z.discriminatedUnion('kind', [
  reassignRequest,
  unassignRequest,
  reassignOneRequest,
  unassignOneRequest,
  reassignListRequest,
  unassignListRequest,
  undoRequest,
]);

/** A single conversation has no preview: it moves, or its receipt says why not. */
export const previewRequest = z.discriminatedUnion('kind', [
  withoutContradiction(unusedId),
  unassignRequest.extend({ operationId: unusedId }),
  reassignListRequest.extend({ operationId: unusedId }),
  unassignListRequest.extend({ operationId: unusedId }),
  undoRequest.extend({ operationId: unusedId }),
]);

export const cancelRequest = z.strictObject({
  ...common,
  operationId: operationId.describe('The operation or waiting claim to cancel.'),
});

export const cancelQueuedRequest = z.strictObject(ofCampaign);

export type { RequestKind } from '../domain/inputs.ts';
export type OperationRequest = DeepReadonly<z.output<typeof operationRequest>>;
export type RequestOf<Kind extends RequestKind> = Extract<OperationRequest, { kind: Kind }>;

export type ReassignRequest = RequestOf<'reassign'>;
export type UnassignRequest = RequestOf<'unassign'>;
export type UndoRequest = RequestOf<'undo'>;
export type BulkRequest = ReassignRequest | UnassignRequest;
export type OneRequest = RequestOf<'reassign-one' | 'unassign-one'>;
export type ListRequest = RequestOf<'reassign-list' | 'unassign-list'>;
export type CancelRequest = DeepReadonly<z.output<typeof cancelRequest>>;
export type CancelQueuedRequest = DeepReadonly<z.output<typeof cancelQueuedRequest>>;

/**
 * `everyone` means the pool, all texters of the campaign, and assignees who are not on the campaign any more. These can be
 * named too.
 */
export type Sources = ReassignRequest['from'];
/** `everyone` means all active texters of the campaign. `counts` has a number for each target. */
export type Targets = 'everyone' | DeepReadonly<z.output<typeof texters>> | DeepReadonly<z.output<typeof counts>>;

/** A request as callers write it, before defaults. The producer's method adds the kind. */
export type RequestInput<Kind extends RequestKind> = InputOfKind[Kind];

/** Parses a request. Throws a `bad-request` refusal that names the field. */
export function parseRequest(input: unknown): OperationRequest {
  refuseLostTarget(input);
  return parseWith(operationRequest, input);
}

/** `__proto__` is a possible texter id, but a record cannot have it as a key: zod drops it without an error. */
function refuseLostTarget(input: unknown): void {
  const { to } = (input ?? {}) as { readonly to?: { readonly counts?: unknown } };
  const numbers = to?.counts;
  if (typeof numbers !== 'object' || numbers === null || !Object.hasOwn(numbers, '__proto__')) return;
  const expected = 'to.counts must not have the id __proto__';
  throw new Refusal('bad-request', { message: expected, expected, received: '__proto__' });
}

export function hasCounts(to: Targets): to is Extract<Targets, { counts: unknown }> {
  return typeof to === 'object' && 'counts' in to;
}

/** Adds up the numbers of targets. */
export function sumOf(numbers: Readonly<Record<string, number>>): number {
  return Object.values(numbers).reduce((sum, number) => sum + number, 0);
}

export function isOne(request: OperationRequest): request is OneRequest {
  return 'conversationId' in request;
}
