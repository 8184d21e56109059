import type { Logger } from '../src/telemetry/index.ts';

/** A lost connection reports itself many times over; one line of each kind in this time is enough. */
const QUIET_MS = 10_000;

export function reporter(logger: Logger): (error: Error) => void {
  const quietUntil = new Map<string, number>();
  return (error) => {
    const now = performance.now();
    if ((quietUntil.get(error.message) ?? 0) > now) return;
    quietUntil.set(error.message, now + QUIET_MS);
    logger.error({ err: error }, 'queue connection');
  };
}
