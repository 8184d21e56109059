import { z } from 'zod';
import { STATUSES } from '../domain/conversation.ts';
import { HALT_CODES, REFUSAL_CODES } from '../domain/errors.ts';
import { conversationId, traceparent } from '../domain/ids.ts';
import { OPERATION_KINDS, OPERATION_STATES } from '../domain/operation.ts';
import { LISTED_RESULTS, OVER_LIMITS, SHORT_REASONS, SKIP_REASONS } from '../domain/receipt.ts';
import { ATTEMPTS_EXHAUSTED } from '../domain/stored-error.ts';

/**
 * What workers answer, for producers in other languages: return values of jobs, failure texts and progress. A test compares
 * these schemas with the types of `domain/answers.ts`, and with the answers of a worker.
 */
const count = z.int().min(0);
const id = z.string();
const conversationIds = z.array(conversationId);
const status = z.enum(STATUSES);
const assigneeId = z.string().nullable().describe('The id of a texter; null is the pool.');
const time = z.iso.datetime();
const sendId = z.string().describe('The sendId of the job that created the operation.');
const trace = traceparent.exactOptional();

const skipCount = z.object({ reason: z.enum(SKIP_REASONS), count });
const overLimit = z
  .array(z.object({ texterId: id, limit: z.enum(OVER_LIMITS), max: count, count }))
  .exactOptional()
  .describe('The texters who have more conversations afterwards than claims would give.');

export const receipt = z
  .object({
    selected: count.describe('What moved, and what was skipped.'),
    moved: count,
    asked: count.nullable().describe('The count that the request asked for; null for all.'),
    shortBecause: z.enum(SHORT_REASONS).nullable().describe('Why fewer conversations moved than asked for.'),
    left: count.nullable().describe('How many conversations still match, where that was counted.'),
    claimsEnded: count.exactOptional().describe('How many waiting claims an unassign of everything has ended.'),
    pausedTargets: z.array(id).exactOptional().describe('Targets that were paused or removed before the end.'),
    overLimit,
    results: z
      .array(z.object({ conversationId, result: z.enum(LISTED_RESULTS) }))
      .exactOptional()
      .describe('Of an operation on a list of conversations: what became of each, in the order of the list.'),
    skipped: z.array(skipCount),
    bySource: z.array(z.object({ assigneeId, count })),
    byTarget: z.array(z.object({ assigneeId, count })),
    byStatus: z.array(z.object({ status, count })),
  })
  .describe('What an operation has done, counted from what was written.');

export const refusal = z
  .object({
    code: z
      .string()
      .meta({ examples: [...REFUSAL_CODES, ...HALT_CODES, ATTEMPTS_EXHAUSTED] })
      .describe(
        `With the codes ${HALT_CODES.join(' and ')}, the operation stopped half-way; with ${ATTEMPTS_EXHAUSTED}, it may ` +
          'have moved conversations and can be retried. With another code, it has changed nothing. Newer workers can have ' +
          'further codes.',
      ),
    message: z.string().describe('A sentence for people, without names and phone numbers.'),
    expected: z.string().nullable().describe('The values that would have been accepted.'),
    received: z.string().nullable(),
  })
  .describe(
    'Why an operation ended without a receipt of its own: the JSON after "permanent " in the failedReason of its job.',
  );

export const progress = z
  .object({
    moved: count.describe('How many conversations the operation has moved so far.'),
    conflicts: count.exactOptional().describe('How often other writers were in the way in the last two seconds.'),
    transactionSize: count.exactOptional().describe('The present limit of conversations in one transaction.'),
  })
  .describe('The progress of an operation on many conversations, in the event "progress" and in its job. Before: 0.');

export const operationAnswer = z.object({
  operationId: id,
  state: z.enum(['done', 'cancelled']),
  createdBySendId: sendId,
  receipt,
  traceparent: trace,
});

export const claimAnswer = z.object({
  operationId: id,
  createdBySendId: sendId,
  requestHash: z.string(),
  conversationIds: conversationIds.describe('The conversations that the texter received, longest waiting first.'),
  receipt,
});

export const cancelAnswer = z.object({ operationId: id, state: z.literal('cancelled'), receipt });

export const cancelQueuedAnswer = z.object({ campaignId: id, cancelled: count });

export const foundOperation = z.object({
  operationId: id,
  campaignId: id,
  kind: z.enum(OPERATION_KINDS),
  createdBySendId: sendId,
  state: z.enum(OPERATION_STATES),
  receipt: receipt.nullable(),
  error: refusal.nullable(),
  conversationIds: conversationIds.exactOptional().describe('Only of a claim.'),
  traceparent: trace,
  acceptedAt: time,
  startedAt: time.nullable(),
  endedAt: time.nullable(),
});

export const optOutAnswer = z.object({ campaignId: id, conversationIds, optedOut: z.boolean(), changed: count });

export const eraseAnswer = z.object({ campaignId: id, conversationIds, changed: count });

export const movesAnswer = z.object({
  operationId: id,
  campaignId: id,
  state: z.enum(OPERATION_STATES),
  moves: z.array(z.object({ from: assigneeId, to: assigneeId, status, conversationIds, at: time.nullable() })),
  skips: z.array(z.object({ reason: z.enum(SKIP_REASONS), conversationIds })),
  next: z.string().nullable().describe('The "after" of the next page; null after the last page of an ended operation.'),
});

export const previewAnswer = z.object({
  countedAt: time.describe('The moment for which all numbers hold.'),
  selected: count,
  moved: count.describe('The number to confirm when unassigning all.'),
  moves: z.array(z.object({ from: assigneeId, to: assigneeId, status, count })),
  skipped: z.array(skipCount),
  overLimit,
  assignees: z.array(z.object({ assigneeId, before: count, after: count })),
});
