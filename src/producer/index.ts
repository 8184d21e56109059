export type { ClaimResult, OperationResult, Producer, Sent, SentClaim } from './producer-port.ts';
export { createProducer } from './producer.ts';
export { sendRequest } from './send-many.ts';
