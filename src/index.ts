/** The producer's public door: what upstream apps import. Importing it opens nothing and reads no environment. */
export { createProducer } from './producer/producer.ts';
export type {
  ClaimInput,
  ClaimResult,
  OperationResult,
  Producer,
  ProducerOptions,
  Sent,
  SentClaim,
} from './producer/producer-port.ts';
export type { CancelAnswer, CancelInput, PreviewRequest } from './producer/contract.ts';
export type { RequestInput } from './operations/contract.ts';
export type { WaitOptions } from './queue/answers.ts';
export { JobFailed } from './queue/answers.ts';
export { QueueUnavailable, Refusal, REFUSAL_CODES, WaitTimeout, type RefusalCode } from './domain/errors.ts';
export type { Receipt } from './domain/receipt.ts';
export type { Preview } from './operations/preview-result.ts';
export { SKIP_REASONS, type SkipReason } from './domain/receipt.ts';
export { STATUSES, type Assignee, type Status, type StatusChoice } from './domain/conversation.ts';
export { SPREADS, type Spread } from './domain/dealing.ts';
