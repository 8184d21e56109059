export type { ClaimResult, OperationResult, Producer, ProducerOptions, Sent, SentClaim } from './producer-port.ts';
export { createProducer } from './producer.ts';
