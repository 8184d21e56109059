import { createRedisBackend } from 'bullmq';
import { atMost } from './at-most.ts';

/**
 * What BullMQ's own look at a blocking connection that does not answer may take: a second until it looks, the rest to
 * connect again.
 */
const RESET_MS_MAX = 6_000;

/**
 * BullMQ's backend for workers, whose wait for a job always ends. When a cluster's replica takes over in the middle of a
 * wait, BullMQ's own reset of the connection can wait for ever for the old one to end, and the worker would never take a
 * job again, though Redis is well. Whoever stops waiting looks for a job, and waits anew.
 */
export const createUnblockingBackend: typeof createRedisBackend = (...parts) => {
  const backend = createRedisBackend(...parts);
  const waitForJob = backend.waitForJob.bind(backend);
  backend.waitForJob = async (blockTimeoutS) => {
    const waiting = waitForJob(blockTimeoutS);
    // Given up on, its failure is nobody's any more.
    waiting.catch(() => undefined);
    return (await atMost(blockTimeoutS * 1_000 + RESET_MS_MAX, waiting)) ? waiting : null;
  };
  return backend;
};
