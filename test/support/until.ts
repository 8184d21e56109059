import { setTimeout as sleep } from 'node:timers/promises';

const DEADLINE_MS = 30_000;
const POLL_EVERY_MS = 10;

/** Calls `find` until it returns something, and returns that. Throws an error that names `what` after the
 * deadline. */
export async function until<Found>(
  what: string | (() => string),
  find: () => Promise<Found | undefined | null | false> | Found | undefined | null | false,
  deadlineMs = DEADLINE_MS,
): Promise<Found> {
  const deadline = performance.now() + deadlineMs;
  for (;;) {
    const found = await find();
    if (found !== undefined && found !== null && found !== false) return found;
    if (performance.now() > deadline) {
      throw new Error(`waited ${deadlineMs} ms in vain for ${typeof what === 'string' ? what : what()}`);
    }
    await sleep(POLL_EVERY_MS);
  }
}
