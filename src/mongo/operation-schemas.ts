import { Schema, type InferRawDocTypeFromSchema } from 'mongoose';
import { STATUSES, type Assignee, type Status } from '../domain/conversation.ts';
import { BATCH_STATES, OPERATION_KINDS, OPERATION_STATES, SPREADS, type StoredRequest } from '../domain/operation.ts';
import { SKIP_REASONS } from '../domain/receipt.ts';
import {
  count,
  countOrNull,
  documentOrNull,
  nested,
  optional,
  optionalListOf,
  required,
  status,
  strict,
  text,
  textOrNull,
  time,
  timeOrNull,
  Value,
} from './schema-parts.ts';
import { cancellationSchema, failedAttemptSchema, receiptSchema, storedErrorSchema } from './result-schemas.ts';

const surplus = Schema.create(
  {
    emptied: required<readonly Assignee[]>({ type: [String] }),
    shares: required<readonly number[]>({ type: [Number], required: true }),
  },
  nested,
);

const statusCredits = Schema.create(
  { status, credits: required<readonly number[]>({ type: [Number], required: true }) },
  nested,
);

const limits = Schema.create({ openMax: count, repliesMax: countOrNull }, nested);

const plan = Schema.create(
  {
    sources: required<readonly Assignee[]>({ type: [String] }),
    targets: required<readonly Assignee[]>({ type: [String] }),
    loads: required<readonly number[]>({ type: [Number], required: true }),
    spread: { type: String, enum: SPREADS, required: true },
    statuses: required<readonly Status[]>({ type: [{ type: String, enum: STATUSES }] }),
    limit: countOrNull,
    /** Only when a target is a source too. */
    surplus: optional<InferRawDocTypeFromSchema<typeof surplus>>({ type: surplus }),
    /** Only when the request has a number for each target. */
    numbers: optional<readonly number[]>({ type: [Number], default: undefined }),
    leftOut: optional<readonly string[]>({ type: [String], default: undefined }),
    limits: optional<InferRawDocTypeFromSchema<typeof limits>>({ type: limits }),
    /** Only when conversations are dealt. */
    credits: optionalListOf(statusCredits),
  },
  nested,
);

/** Operations of all kinds share one collection, so that an id stands for one operation only. */
export const operationSchema = Schema.create(
  {
    _id: text,
    /** The discriminator: claims have the kind `self-assign`. */
    kind: { type: String, enum: OPERATION_KINDS, required: true },
    campaignId: text,
    /** Checked by the contract of its kind before it is stored. The subject of the kind knows its full type. */
    request: required<StoredRequest>({ type: Value, required: true }),
    requestHash: text,
    createdBySendId: text,
    state: { type: String, enum: OPERATION_STATES, required: true },
    sequence: count,
    /** Fixed when the operation starts. Claims have no plan. */
    plan: documentOrNull(plan),
    receipt: documentOrNull(receiptSchema),
    error: documentOrNull(storedErrorSchema),
    cancellation: documentOrNull(cancellationSchema),
    failures: optionalListOf(failedAttemptSchema),
    /** How many waiting claims an unassign of everything has ended. */
    claimsEnded: { type: Number, allowNull: false },
    /** How often the operation was reopened. */
    reopened: { type: Number, allowNull: false },
    /** Set before the operation and its batches are deleted. From then on the operation cannot be reopened. */
    expiring: { type: Boolean, allowNull: false },
    /** Counts attempts to close the list of batches, so that closing conflicts with a reopening at the same time. */
    stops: { type: Number, allowNull: false },
    /** The campaign's id while a bulk operation holds the campaign lock. */
    campaignLock: { type: String, allowNull: false },
    acceptedAt: time,
    startedAt: timeOrNull,
    endedAt: timeOrNull,
  },
  { ...strict, collection: 'operations', discriminatorKey: 'kind' },
);

const claimRequest = Schema.create(
  {
    kind: { type: String, enum: ['self-assign'] as const, required: true },
    operationId: text,
    campaignId: text,
    texterId: text,
    count: optional<number | undefined>({ type: Number }),
    waitMs: optional<number | undefined>({ type: Number }),
    traceparent: optional<string | undefined>({ type: String }),
  },
  nested,
);

const waiting = Schema.create(
  {
    /** The place among the campaign's waiting claims that a round can serve. */
    sequence: { type: Number },
    /** The same place while a rule blocks the claim: then it has no `sequence`. */
    blockedSequence: { type: Number },
    until: time,
  },
  nested,
);

/** What claims store beside the fields of all kinds. */
export const claimSchema = Schema.create(
  {
    request: { type: claimRequest, required: true },
    /** The conversations that the claim received, longest waiting first. */
    granted: { type: [Schema.Types.ObjectId], required: true },
    /** Only while the claim waits for more conversations. */
    waiting: { type: waiting, allowNull: false },
    /** Set when a waiting claim ends, until its job has been woken. */
    toWake: { type: Boolean, allowNull: false },
  },
  strict,
);

const ids = { type: [Schema.Types.ObjectId], required: true } as const;
const move = Schema.create({ from: textOrNull, to: textOrNull, status, count, conversationIds: ids }, nested);
const skip = Schema.create(
  { reason: { type: String, enum: SKIP_REASONS, required: true }, count, conversationIds: ids },
  nested,
);
const position = Schema.create(
  { status, waitingSince: time, id: { type: Schema.Types.ObjectId, required: true } },
  nested,
);
const planState = Schema.create(
  {
    position: documentOrNull(position),
    /** How far a surplus was read from the end of the order. */
    surplusPosition: optional<InferRawDocTypeFromSchema<typeof position> | null>({ type: position, default: null }),
    /** How far the pool was read, but not planned. */
    readAhead: optional<InferRawDocTypeFromSchema<typeof position> | null>({ type: position, default: null }),
    loads: { type: [Number], required: true },
    planned: count,
  },
  nested,
);

export const batchSchema = Schema.create(
  {
    /** See `batchId`: the batches of an operation are one range of ids, in order. */
    _id: text,
    campaignId: text,
    operationId: text,
    number: count,
    state: { type: String, enum: BATCH_STATES, required: true },
    moves: [move],
    skips: [skip],
    /** How far the plan had come after this batch. */
    after: { type: planState, required: true },
    /** Only if planned moves were not written. */
    shortfalls: optional<{ from: Assignee; to: Assignee; count: number }[]>({
      type: [Schema.create({ from: textOrNull, to: textOrNull, count }, nested)],
      default: undefined,
    }),
    /** Counts the changes of rules that waited for this batch; see `campaigns/fence.ts`. */
    fence: { type: Number, allowNull: false },
    /** The transactions that have applied a part of the batch. Only while a batch is partly applied. */
    parts: { type: Number, allowNull: false },
    /** How many of the conversations in `moves` have moved, in order. Only while a batch is partly applied. */
    appliedCount: { type: Number, allowNull: false },
    /** The moves that were not applied when the operation was stopped. Only if a part of the batch was applied. */
    unappliedMoves: optional<InferRawDocTypeFromSchema<typeof move>[]>({ type: [move], default: undefined }),
    plannedAt: time,
    appliedAt: timeOrNull,
  },
  { ...strict, collection: 'batches' },
);
