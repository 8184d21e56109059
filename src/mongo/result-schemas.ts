import { Schema } from 'mongoose';
import { LISTED_RESULTS, OVER_LIMITS, SHORT_REASONS, SKIP_REASONS, type ShortBecause } from '../domain/receipt.ts';
import {
  count,
  countOrNull,
  listOf,
  nested,
  optional,
  optionalListOf,
  required,
  status,
  text,
  textOrNull,
  time,
} from './schema-parts.ts';

const skipCount = Schema.create({ reason: { type: String, enum: SKIP_REASONS, required: true }, count }, nested);
const assigneeCount = Schema.create({ assigneeId: textOrNull, count }, nested);
const statusCount = Schema.create({ status, count }, nested);
const overLimit = Schema.create(
  { texterId: text, limit: { type: String, enum: OVER_LIMITS, required: true }, max: count, count },
  nested,
);
const listedResult = Schema.create(
  { conversationId: text, result: { type: String, enum: LISTED_RESULTS, required: true } },
  nested,
);

export const receiptSchema = Schema.create(
  {
    selected: count,
    moved: count,
    asked: countOrNull,
    shortBecause: required<ShortBecause | null>({ type: String, enum: [...SHORT_REASONS, null], default: null }),
    left: countOrNull,
    claimsEnded: { type: Number, allowNull: false },
    pausedTargets: optional<readonly string[]>({ type: [String], default: undefined }),
    overLimit: optionalListOf(overLimit),
    results: optionalListOf(listedResult),
    skipped: listOf(skipCount),
    bySource: listOf(assigneeCount),
    byTarget: listOf(assigneeCount),
    byStatus: listOf(statusCount),
  },
  nested,
);

export const storedErrorSchema = Schema.create(
  { code: text, message: text, expected: textOrNull, received: textOrNull },
  nested,
);
export const cancellationSchema = Schema.create({ by: textOrNull, reason: textOrNull, at: time }, nested);
export const failedAttemptSchema = Schema.create({ at: time, message: text }, nested);
