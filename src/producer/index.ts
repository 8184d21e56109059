export type {
  ClaimResult,
  OperationResult,
  Producer,
  ProducerOptions,
  Sent,
  SentClaim,
  SentOfMany,
} from './producer-port.ts';
export { createProducer } from './producer.ts';
export { sendRequest } from './send-request.ts';
