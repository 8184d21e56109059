import {
  pino,
  stdTimeFunctions,
  type DestinationStream,
  type LevelWithSilent,
  type LogFn,
  type Logger,
  type LoggerOptions,
} from 'pino';
import { SKIP_REASONS } from '../domain/receipt.ts';
import { errorText, idText, jobIdText, loggedError, safeText } from '../domain/safe-text.ts';
import { isWithoutCause } from '../queue/cluster-trouble.ts';
import type { ErrorReporter } from '../queue/connection.ts';
import { meaningOf } from '../queue/redis-errors.ts';
import { JobSetAside } from '../queue/set-aside.ts';

export type { Logger } from 'pino';

/** Fields with personal or secret values. */
const PERSONAL: readonly string[] = ['name', 'phone', 'contact', 'reason', 'uri', 'redisUrl'];

/** The same error of the same event is logged at most once in this time. A lost connection reports many. */
const REPEATED_ERROR_EVERY_MS = 10_000;
/** Errors that name an id or a port all differ. Beyond this number, the errors that were logged longest ago are forgotten. */
const ERRORS_REMEMBERED_MAX = 1_000;

/** A queue reports this error among those of its connection. */
const JOB_SET_ASIDE = 'a job that cannot be read was set aside';

/** Logs one JSON object a line. The default is stderr, because a command's stdout belongs to its answer. */
export function createLogger(
  { level }: { level: LevelWithSilent },
  destination: DestinationStream = process.stderr,
): Logger {
  const options: LoggerOptions = {
    level,
    base: { service: 'baton', pid: process.pid },
    timestamp: stdTimeFunctions.isoTime,
    // A child logger repeats its ids in each line.
    serializers: { jobId: jobIdText, operationId: idText, campaignId: idText },
    hooks: {
      logMethod(values, log) {
        const [first, ...others] = (values as readonly unknown[]).map((value) => loggable('', value));
        log.apply(this, [first, ...others] as Parameters<LogFn>);
      },
    },
  };
  return pino(options, destination);
}

/** Everything that is logged passes through this function. Returns a value without personal and secret parts. */
function loggable(key: string, value: unknown): unknown {
  if (value instanceof Error) return key === '' ? { err: loggedError(value) } : loggedError(value);
  if (PERSONAL.includes(key) && !isSkipReason(value)) return '[redacted]';
  if (typeof value === 'string') return /Ids?$/.test(key) ? jobIdText(value) : safeText(value);
  if (Array.isArray(value)) return value.map((each) => loggable(key, each));
  if (typeof value !== 'object' || value === null || value instanceof Date) return value;
  return Object.fromEntries(Object.entries(value).map(([name, each]) => [name, loggable(name, each)]));
}

/** A receipt says why conversations were skipped; an operation says why somebody asked for it, which may be personal. */
function isSkipReason(value: unknown): boolean {
  return SKIP_REASONS.some((known) => known === value);
}

/** Logs the errors that no caller receives, each with the event that failed, and leaves repetitions out. */
export function errorReporter(logger: Logger): ErrorReporter {
  const silentUntil = new Map<string, number>();
  return (event) => (error) => {
    // A queue passes this error of its connection on. The connection itself reports the cause.
    if (isWithoutCause(error)) return;
    const now = performance.now();
    const key = `${event}: ${errorText(error)}`;
    if ((silentUntil.get(key) ?? 0) > now) return;
    // A map keeps the order of insertion, so the first key is the one that was logged longest ago.
    silentUntil.delete(key);
    const [oldest] = silentUntil.keys();
    if (oldest !== undefined && silentUntil.size >= ERRORS_REMEMBERED_MAX) silentUntil.delete(oldest);
    silentUntil.set(key, now + REPEATED_ERROR_EVERY_MS);
    const words = meaningOf(error)?.words;
    const failed = error instanceof JobSetAside ? JOB_SET_ASIDE : event;
    logger.error({ err: error }, words === undefined ? failed : `${failed}: ${words}`);
  };
}
