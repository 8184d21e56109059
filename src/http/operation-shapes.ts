import { z } from 'zod';
import { STATUSES } from '../domain/conversation.ts';
import { actorId, outsideId } from '../domain/ids.ts';
import { OPERATION_KINDS, OPERATION_STATES } from '../domain/operation.ts';
import { SKIP_REASONS } from '../domain/receipt.ts';
import { cancelRequest, operationRequest, previewRequest } from '../operations/index.ts';
import { next } from './paging.ts';
import { instant } from './shapes.ts';

/** The requests of the producer, without the ids that the path and the Idempotency-Key have. */
const outside = <Shape extends z.ZodRawShape>(shape: Shape): Omit<Shape, 'operationId' | 'campaignId'> => {
  const { operationId, campaignId, ...others } = shape;
  return 'undoes' in others ? { ...others, undoes: outsideId('the operation or claim to undo') } : others;
};

const [reassign, unassign, reassignOne, unassignOne, reassignList, unassignList, undo] = operationRequest.options;
const EXAMPLE = { kind: 'reassign', from: 'pool', to: 'everyone', status: 'not-started', count: 500 };

export const operationBody = z
  .discriminatedUnion('kind', [
    z.strictObject(outside(reassign.shape)),
    z.strictObject(outside(unassign.shape)),
    z.strictObject(outside(reassignOne.shape)),
    z.strictObject(outside(unassignOne.shape)),
    z.strictObject(outside(reassignList.shape)),
    z.strictObject(outside(unassignList.shape)),
    z.strictObject(outside(undo.shape)),
  ])
  .meta({ id: 'OperationRequest', examples: [EXAMPLE] });

const [previewReassign, previewUnassign, previewReassignList, previewUnassignList, previewUndo] =
  previewRequest.options;
export const previewBody = z
  .discriminatedUnion('kind', [
    z.strictObject(outside(previewReassign.shape)),
    z.strictObject(outside(previewUnassign.shape)),
    z.strictObject(outside(previewReassignList.shape)),
    z.strictObject(outside(previewUnassignList.shape)),
    z.strictObject(outside(previewUndo.shape)),
  ])
  .meta({ id: 'PreviewRequest', examples: [EXAMPLE] });

const { reason } = cancelRequest.shape;
export const actorBody = z
  .strictObject({ actorId: actorId.optional(), reason })
  .optional()
  .meta({ examples: [{ actorId: 'p_anna' }] });

const { includeWorkedOn } = undo.shape;
export const undoBody = z
  .strictObject({ includeWorkedOn, actorId: actorId.optional(), reason })
  .optional()
  .meta({ examples: [{ includeWorkedOn: false }] });

export const operationHeaders = z.looseObject({
  'idempotency-key': outsideId('the operation, made by the caller').meta({ examples: ['shift-change-0413'] }),
  prefer: z.string().optional().describe('`wait=N` waits up to N seconds, at most 30, for the end of the operation.'),
});

export const waitHeaders = operationHeaders.omit({ 'idempotency-key': true });

const assigneeId = z.string().nullable().describe('The id of a texter; null is the pool.');
const status = z.enum(STATUSES);
const count = z.int();
const moveCount = z.object({ from: assigneeId, to: assigneeId, status, count });
const skipCount = z.object({ reason: z.enum(SKIP_REASONS), count });
const overLimit = z.object({ texterId: z.string(), limit: z.enum(['open-max', 'replies-max']), max: count, count });

export const receipt = z
  .object({
    selected: count.describe('`moved` and all skips.'),
    moved: count,
    asked: count.nullable().describe('The count that the request asked for; null for all.'),
    shortBecause: z.string().nullable().describe('Why fewer conversations moved than the request asked for.'),
    left: count.nullable().describe('How many conversations still match, of an operation on all or a cancelled one.'),
    claimsEnded: count.optional(),
    pausedTargets: z.array(z.string()).optional(),
    overLimit: z.array(overLimit).optional(),
    results: z.array(z.object({ conversationId: z.string(), result: z.string() })).optional(),
    skipped: z.array(skipCount),
    bySource: z.array(z.object({ assigneeId, count })),
    byTarget: z.array(z.object({ assigneeId, count })),
    byStatus: z.array(z.object({ status, count })),
  })
  .meta({ id: 'Receipt' });

const operationError = z
  .object({
    code: z.string(),
    message: z.string(),
    expected: z.string().nullable(),
    received: z.string().nullable(),
  })
  .meta({ id: 'OperationError' });

export const operation = z
  .object({
    operationId: z.string(),
    campaignId: z.string(),
    kind: z.enum(OPERATION_KINDS),
    state: z
      .enum(['sent', ...OPERATION_STATES])
      .describe('`sent`: the queue has it, and no worker has accepted it yet.'),
    request: z.looseObject({}).describe('What the operation was asked to do.'),
    ahead: count.optional().describe('How many operations of the campaign run before it, if it waits.'),
    acceptedAt: instant.nullable(),
    startedAt: instant.nullable(),
    endedAt: instant.nullable(),
    receipt: receipt.nullable(),
    error: operationError.nullable().describe('Why the operation was refused, or has stopped half-way.'),
    cancelledBy: z.string().nullable().describe('The actor of the request to cancel it.'),
    conversationIds: z.array(z.string()).optional().describe('Of a claim: the conversations that the texter received.'),
  })
  .meta({ id: 'Operation' });

export type OperationBody = z.output<typeof operation>;

export const operationsPage = z.object({ operations: z.array(operation), next }).meta({ id: 'OperationsPage' });

export const preview = z
  .object({
    selected: count,
    moved: count.describe('How many conversations would move: the number to confirm when unassigning all.'),
    moves: z.array(moveCount),
    skipped: z.array(skipCount),
    overLimit: z.array(overLimit).optional(),
    assignees: z.array(z.object({ assigneeId, before: count, after: count })),
  })
  .meta({ id: 'Preview' });

const moved = z.object({
  conversationId: z.string(),
  result: z.literal('moved'),
  from: assigneeId,
  to: assigneeId,
  status,
  at: instant.nullable(),
});
const skipped = z.object({
  conversationId: z.string(),
  result: z.literal('skipped'),
  reason: z.enum(SKIP_REASONS),
});

export const movesPage = z
  .object({
    state: z.enum(OPERATION_STATES),
    conversations: z.array(z.discriminatedUnion('result', [moved, skipped])),
    next: next.describe('While the operation runs, a page can be empty: its `next` continues later.'),
  })
  .meta({ id: 'MovesPage' });
