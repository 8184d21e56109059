import { pino, stdTimeFunctions, type DestinationStream, type LevelWithSilent, type Logger } from 'pino';
import type { ErrorReporter } from '../queue/connection.ts';

export type { Logger } from 'pino';

/** Fields with personal or secret values. They are replaced at the top of a logged object and up to two levels below. */
const PERSONAL = ['name', 'phone', 'contact', 'reason', 'uri', 'redisUrl'];
const redactedPaths = PERSONAL.flatMap((key) => [key, `*.${key}`, `*.*.${key}`]);

/** The same error of the same event is logged at most once in this time. A lost connection reports many. */
const REPEATED_ERROR_EVERY_MS = 10_000;

/** Logs one JSON object a line. The default is stderr, because a command's stdout belongs to its answer. */
export function createLogger(
  { level }: { level: LevelWithSilent },
  destination: DestinationStream = process.stderr,
): Logger {
  const options = {
    level,
    base: { service: 'baton', pid: process.pid },
    timestamp: stdTimeFunctions.isoTime,
    redact: { paths: redactedPaths, censor: '[redacted]' },
  };
  return pino(options, destination);
}

/** Logs the errors that no caller receives, each with the event that failed, and leaves repetitions out. */
export function errorReporter(logger: Logger): ErrorReporter {
  const silentUntil = new Map<string, number>();
  return (event) => (error) => {
    const now = performance.now();
    const key = `${event}: ${error.message}`;
    if ((silentUntil.get(key) ?? 0) > now) return;
    silentUntil.set(key, now + REPEATED_ERROR_EVERY_MS);
    logger.error({ err: error }, event);
  };
}
