import { Schema } from 'mongoose';
import type { HistoryMove } from '../domain/conversation.ts';
import { SELF_ASSIGN_BATCH_MAX, SELF_ASSIGN_DEFAULT } from '../domain/self-assign.ts';
import {
  count,
  nested,
  optional,
  required,
  status,
  strict,
  text,
  textOrNull,
  time,
  timeOrNull,
} from './schema-parts.ts';

const selfAssign = Schema.create(
  {
    enabled: { type: Boolean, default: SELF_ASSIGN_DEFAULT.enabled },
    batchMax: { type: Number, default: SELF_ASSIGN_DEFAULT.batchMax, min: 1, max: SELF_ASSIGN_BATCH_MAX },
    openMax: { type: Number, default: SELF_ASSIGN_DEFAULT.openMax, min: 1 },
    repliesMax: required<number | null>({ type: Number, default: SELF_ASSIGN_DEFAULT.repliesMax, min: 0 }),
  },
  nested,
);

export const campaignSchema = Schema.create(
  {
    _id: text,
    /** See `domain/id-rules.ts`. The previous version and other programs write campaigns without this field. */
    organisationId: optional<string>({ type: String }),
    name: text,
    closed: { type: Boolean, default: false },
    /** The country of phone numbers without a country code. Campaigns of the version before have no such field. */
    country: textOrNull,
    selfAssign: { type: selfAssign, required: true },
    /** The number of bulk operations that were accepted. */
    operationCount: { ...count, default: 0 },
    /** The number of claims that have ever waited. */
    waitingCount: { ...count, default: 0 },
    /** The number of texters that have ever joined. */
    texterCount: { ...count, default: 0 },
    createdAt: time,
    /** Set on a removed campaign: nothing but a restore finds it any more. */
    removedAt: optional<Date | null>({ type: Date }),
  },
  { ...strict, collection: 'campaigns' },
);

const credit = Schema.create({ texterId: text, status, credit: { type: Number, required: true } }, nested);

/** The credits of a campaign's texters: see `domain/credits.ts`. A campaign without a document has none. */
export const creditSchema = Schema.create(
  {
    /** The campaign's id. */
    _id: text,
    credits: { type: [credit], required: true },
  },
  { ...strict, collection: 'credits' },
);

export const texterSchema = Schema.create(
  {
    campaignId: text,
    texterId: text,
    name: text,
    active: { type: Boolean, default: true },
    joinedOrder: count,
    /** Each round of claims and each single move to the texter adds 1, and so does a pause: two of them conflict. */
    fence: { ...count, default: 0 },
    createdAt: time,
    /** Set on a removed texter, who is also not active. Receipts still find the name. */
    removedAt: optional<Date | null>({ type: Date }),
    /** How often the tokens of the texter were revoked. Older tokens have a lower number. */
    tokenVersion: optional<number>({ type: Number, min: 0 }),
  },
  { ...strict, collection: 'texters' },
);

const contact = Schema.create({ name: text, phone: text }, nested);

const historyMove = Schema.create(
  { operationId: text, from: textOrNull, to: textOrNull, at: time, by: textOrNull },
  nested,
);

/** A conversation as its last move left it, so that an undo finds out what has changed since. */
const atLastMove = Schema.create(
  { version: count, status: textOrNull, lastInboundAt: timeOrNull, lastOutboundAt: timeOrNull },
  nested,
);

export const conversationSchema = Schema.create(
  {
    campaignId: text,
    externalId: textOrNull,
    contact: { type: contact, required: true },
    assigneeId: textOrNull,
    status,
    waitingSince: time,
    optedOut: { type: Boolean, default: false },
    assignmentVersion: { ...count, default: 0 },
    assignedAt: timeOrNull,
    lastInboundAt: timeOrNull,
    lastOutboundAt: timeOrNull,
    lastOperationId: textOrNull,
    /** Absent before the first move. */
    atLastMove: { type: atLastMove, allowNull: false },
    history: required<HistoryMove[]>({ type: [historyMove] }),
    createdAt: time,
  },
  { ...strict, collection: 'conversations' },
);
