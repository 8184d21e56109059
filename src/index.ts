/** What an upstream app imports to send requests. Importing it opens no connection and reads no environment. */
// Not from their index: the types of its other exports need a package.
export { createProducer } from './producer/producer.ts';
export type {
  ClaimResult,
  OperationResult,
  Producer,
  ProducerOptions,
  Sent,
  SentClaim,
  SentOfMany,
} from './producer/producer-port.ts';
export type * from './domain/inputs.ts';
export type {
  CancelAnswer,
  CancelQueuedAnswer,
  ConversationResult,
  EraseAnswer,
  FoundOperation,
  MovesPage,
  OptOutAnswer,
  Preview,
  Progress,
  WaitOptions,
} from './domain/answers.ts';
export {
  HALT_CODES,
  Halted,
  JobFailed,
  ProducerClosed,
  QueueUnavailable,
  Refusal,
  REFUSAL_CODES,
  UnknownFailure,
  WaitTimeout,
  type HaltCode,
  type RefusalCode,
} from './domain/errors.ts';
export { SKIP_REASONS, type Receipt, type SkipReason } from './domain/receipt.ts';
export { STATUSES, type Assignee, type Status, type StatusChoice } from './domain/conversation.ts';
export { SPREADS, type Spread } from './domain/operation.ts';
