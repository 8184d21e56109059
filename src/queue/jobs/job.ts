import { z } from 'zod';

/** Braces keep all of a queue's keys in one slot of a Redis Cluster. */
export const DEFAULT_QUEUE_PREFIX = '{baton}';

export const JOB_VERSION = 1;

/** A job larger than this is a mistake or an attack: requests carry ids and numbers only. */
const JOB_BYTES_MAX = 256 * 1024;
const STACK_TRACE_LINES_MAX = 3;

export const DAY_S = 24 * 60 * 60;

export const version = z.literal(JOB_VERSION);

/** What goes before a request whose sender is told whether this sending made what it asks for. */
export const envelope = {
  version,
  sentBy: z
    .string()
    .min(1)
    .max(64)
    .describe('New for each sending: tells the one that made the operation from those that met it.'),
};

export const JOB_LIMITS = { stackTraceLimit: STACK_TRACE_LINES_MAX, sizeLimit: JOB_BYTES_MAX } as const;
