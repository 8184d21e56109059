/** What an upstream app imports to send requests. Importing it opens no connection and reads no environment. */
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
export type { CancelAnswer, CancelInput, Preview, PreviewRequest, RequestInput } from './operations/index.ts';
export type { WaitOptions } from './queue/result-waiter.ts';
export {
  HALT_CODES,
  Halted,
  JobFailed,
  QueueUnavailable,
  Refusal,
  REFUSAL_CODES,
  WaitTimeout,
  type HaltCode,
  type RefusalCode,
} from './domain/errors.ts';
export { SKIP_REASONS, type Receipt, type SkipReason } from './domain/receipt.ts';
export { STATUSES, type Assignee, type Status, type StatusChoice } from './domain/conversation.ts';
export { SPREADS, type Spread } from './domain/dealing.ts';
