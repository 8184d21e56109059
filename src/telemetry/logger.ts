import { pino, stdTimeFunctions, type DestinationStream, type Logger } from 'pino';
import type { Config } from '../config.ts';

export type { Logger } from 'pino';

/** Wherever these stand in a logged object, up to two levels down, they are blotted out. */
const PERSONAL = ['name', 'phone', 'contact', 'reason', 'uri', 'redisUrl'];
const redactedPaths = PERSONAL.flatMap((key) => [key, `*.${key}`, `*.*.${key}`]);

/** Logs are one JSON object a line, on stderr by default: stdout belongs to answers. */
export function createLogger(log: Config['log'], destination: DestinationStream = process.stderr): Logger {
  const options = {
    level: log.level,
    base: { service: 'baton', pid: process.pid },
    timestamp: stdTimeFunctions.isoTime,
    redact: { paths: redactedPaths, censor: '[redacted]' },
  };
  return pino(options, destination);
}
