import { pino, stdTimeFunctions, type DestinationStream, type LevelWithSilent, type Logger } from 'pino';

export type { Logger } from 'pino';

/** Fields with personal or secret values. They are replaced at the top of a logged object and up to two levels below. */
const PERSONAL = ['name', 'phone', 'contact', 'reason', 'uri', 'redisUrl'];
const redactedPaths = PERSONAL.flatMap((key) => [key, `*.${key}`, `*.*.${key}`]);

/** Each message of a connection error is logged at most once in this time. A lost connection reports many. */
const CONNECTION_ERROR_EVERY_MS = 10_000;

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

/** Returns a listener that logs connection errors and leaves repetitions out. */
export function connectionErrorLogger(logger: Logger): (error: Error) => void {
  const silentUntil = new Map<string, number>();
  return (error) => {
    const now = performance.now();
    if ((silentUntil.get(error.message) ?? 0) > now) return;
    silentUntil.set(error.message, now + CONNECTION_ERROR_EVERY_MS);
    logger.error({ err: error }, 'error on a connection to Redis');
  };
}
