/** The producer's public door: what upstream apps import. Importing it opens nothing and reads no environment. */
export { createProducer } from './producer/index.ts';
export type {
  ClaimInput,
  ClaimResult,
  OperationResult,
  Producer,
  ProducerOptions,
  Sent,
  SentClaim,
} from './producer/index.ts';
export type { PreviewRequest } from './operations/index.ts';
export type { CancelAnswer, CancelInput } from './operations/index.ts';
export type { RequestInput } from './operations/index.ts';
export type { WaitOptions } from './queue/answers.ts';
export { JobFailed } from './queue/answers.ts';
export { QueueUnavailable, Refusal, REFUSAL_CODES, WaitTimeout, type RefusalCode } from './domain/errors.ts';
export type { Receipt } from './domain/receipt.ts';
export type { Preview } from './operations/index.ts';
export { SKIP_REASONS, type SkipReason } from './domain/receipt.ts';
export { STATUSES, type Assignee, type Status, type StatusChoice } from './domain/conversation.ts';
export { SPREADS, type Spread } from './domain/dealing.ts';
