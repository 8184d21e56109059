export { MongoHealthStore } from './database-health.ts';
export type { DatabaseFacts, HealthStore, QueueFacts, QueueState } from './health.ts';
export { createLogger, errorReporter, type Logger } from './logger.ts';
export { countWorkers, readQueueFacts } from './queue-health.ts';
