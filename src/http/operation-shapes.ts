import { z } from 'zod';
import { actorId, outsideId, texterId } from '../domain/ids.ts';
import { OPERATION_KINDS, OPERATION_STATES } from '../domain/operation.ts';
import { SKIP_REASONS } from '../domain/receipt.ts';
import { cancelRequest, operationRequest } from '../operations/index.ts';
import { next } from './paging.ts';
import { instant, status } from './shapes.ts';

/** The requests of the producer, without the ids that the path and the Idempotency-Key have. */
const outside = <Shape extends z.ZodRawShape>(shape: Shape): Omit<Shape, 'operationId' | 'campaignId'> => {
  const { operationId, campaignId, ...others } = shape;
  return 'undoes' in others ? { ...others, undoes: outsideId('the operation or claim to undo') } : others;
};

const [reassign, unassign, reassignOne, unassignOne, reassignList, unassignList, undo] = operationRequest.options;
const EXAMPLE = { kind: 'reassign', from: 'pool', to: 'everyone', status: 'not-started', count: 500 };

/** The same union with other options, which have names in the document. */
const withNames = <Union extends z.ZodUnion>(union: Union, ...options: Union['def']['options']): Union =>
  union.clone({ ...union.def, options });

const [poolOrEveryone, texters] = reassign.shape.from.options;
const [everyone, targets, counts] = reassign.shape.to.options;
const sourceTexters = texters.meta({ id: 'SourceTexters' });
const to = withNames(reassign.shape.to, everyone, targets.meta({ id: 'Targets' }), counts.meta({ id: 'TargetCounts' }));
/** Many generators of clients cannot read the schema of a tuple. */
const oneTarget = { to: z.strictObject({ texterIds: z.array(texterId).length(1) }).meta({ id: 'OneTarget' }) };

/** Every kind has a name of its own, because generated clients name their types after it. */
const reassignBody = z
  .strictObject({ ...outside(reassign.shape), from: withNames(reassign.shape.from, poolOrEveryone, sourceTexters), to })
  .meta({ id: 'ReassignRequest' });
const unassignBody = z
  .strictObject({ ...outside(unassign.shape), from: withNames(unassign.shape.from, everyone, sourceTexters) })
  .meta({ id: 'UnassignRequest' });
const reassignOneBody = z
  .strictObject({ ...outside(reassignOne.shape), ...oneTarget })
  .meta({ id: 'ReassignOneRequest' });
const unassignOneBody = z.strictObject(outside(unassignOne.shape)).meta({ id: 'UnassignOneRequest' });
const reassignListBody = z
  .strictObject({ ...outside(reassignList.shape), ...oneTarget })
  .meta({ id: 'ReassignListRequest' });
const unassignListBody = z.strictObject(outside(unassignList.shape)).meta({ id: 'UnassignListRequest' });
const undoRequestBody = z.strictObject(outside(undo.shape)).meta({ id: 'UndoRequest' });

export const operationBody = z
  .discriminatedUnion('kind', [
    reassignBody,
    unassignBody,
    reassignOneBody,
    unassignOneBody,
    reassignListBody,
    unassignListBody,
    undoRequestBody,
  ])
  .meta({ id: 'OperationRequest', examples: [EXAMPLE] });

/** A single conversation has no preview. */
export const previewBody = z
  .discriminatedUnion('kind', [reassignBody, unassignBody, reassignListBody, unassignListBody, undoRequestBody])
  .meta({ id: 'PreviewRequest', examples: [EXAMPLE] });

const { reason } = cancelRequest.shape;
export const actorBody = z
  .strictObject({ actorId: actorId.optional(), reason })
  .optional()
  .meta({ id: 'CancelRequest', examples: [{ actorId: 'p_anna' }] });

const { includeWorkedOn } = undo.shape;
export const undoBody = z
  .strictObject({ includeWorkedOn, actorId: actorId.optional(), reason })
  .optional()
  .meta({ id: 'UndoOptions', examples: [{ includeWorkedOn: false }] });

export const operationHeaders = z.looseObject({
  'idempotency-key': outsideId('the operation, made by the caller').meta({ examples: ['shift-change-0413'] }),
  prefer: z.string().optional().describe('`wait=N` waits up to N seconds, at most 30, for the end of the operation.'),
});

export const waitHeaders = operationHeaders.omit({ 'idempotency-key': true });

const assigneeId = z.string().nullable().describe('The id of a texter; null is the pool.');
const count = z.int();
const moveCount = z.object({ from: assigneeId, to: assigneeId, status, count }).meta({ id: 'MoveCount' });
const skipReason = z.enum(SKIP_REASONS).meta({ id: 'SkipReason' });
const skipCount = z.object({ reason: skipReason, count }).meta({ id: 'SkipCount' });
const assigneeCount = z.object({ assigneeId, count }).meta({ id: 'AssigneeCount' });
const statusCount = z.object({ status, count }).meta({ id: 'StatusCount' });
const overLimit = z
  .object({
    texterId: z.string(),
    limit: z.enum(['open-max', 'replies-max']),
    max: count,
    count: count.describe('How many the texter had then. In a queue of operations, it can be a second old.'),
  })
  .meta({ id: 'OverLimit' });
const conversationResult = z
  .object({ conversationId: z.string(), result: z.string() })
  .meta({ id: 'ConversationResult' });
const loadChange = z.object({ assigneeId, before: count, after: count }).meta({ id: 'LoadChange' });

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
    results: z.array(conversationResult).optional(),
    skipped: z.array(skipCount),
    bySource: z.array(assigneeCount),
    byTarget: z.array(assigneeCount),
    byStatus: z.array(statusCount),
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

export const operationState = z
  .enum(['sent', ...OPERATION_STATES])
  .meta({ id: 'OperationState', description: '`sent`: the queue has it, and no worker has accepted it yet.' });

export const operation = z
  .object({
    operationId: z.string(),
    campaignId: z.string(),
    kind: z.enum(OPERATION_KINDS).meta({ id: 'OperationKind' }),
    state: operationState,
    request: z.looseObject({}).meta({ id: 'RequestOfOperation', description: 'What the operation was asked to do.' }),
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
    assignees: z.array(loadChange),
  })
  .meta({ id: 'Preview' });

const moved = z
  .object({
    conversationId: z.string(),
    result: z.literal('moved'),
    from: assigneeId,
    to: assigneeId,
    status,
    at: instant.nullable(),
  })
  .meta({ id: 'MovedConversation' });
const skipped = z
  .object({ conversationId: z.string(), result: z.literal('skipped'), reason: skipReason })
  .meta({ id: 'SkippedConversation' });

export const movesPage = z
  .object({
    state: z.enum(OPERATION_STATES),
    conversations: z.array(z.discriminatedUnion('result', [moved, skipped])),
    next: next.describe('While the operation runs, a page can be empty: its `next` continues later.'),
  })
  .meta({ id: 'MovesPage' });
