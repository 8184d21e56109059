/** What an upstream app imports to send requests. Importing it opens no connection and reads no environment. */
export { createProducer } from './producer/index.ts';
export type { ClaimResult, OperationResult, Producer, ProducerOptions, Sent, SentClaim } from './producer/index.ts';
export type { ClaimInput } from './claims/contract.ts';
export type { EraseAnswer, OptOutAnswer, PersonRequest } from './contacts/contract.ts';
export type { CancelInput, PreviewRequest, RequestInput } from './operations/contract.ts';
export type { MovesInput } from './operations/moves-job.ts';
export type { CancelAnswer } from './operations/jobs.ts';
export type { ConversationResult, MovesPage } from './operations/moves-job.ts';
export type { FoundOperation, Preview } from './operations/read-jobs.ts';
export type { WaitOptions } from './queue/result-waiter.ts';
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
