export { MongoHealthStore, type DatabaseFacts, type HealthStore } from './database-health.ts';
export { createLogger, errorReporter, type Logger } from './logger.ts';
export {
  countWorkers,
  readQueueFacts,
  type QueueFacts,
  type QueueState,
  readQueueFaults,
  type QueueFaults,
} from './queue-health.ts';
