import { setTimeout as sleep } from 'node:timers/promises';

const DEADLINE_MS = 30_000;
const LOOK_EVERY_MS = 10;

/** Looks until `look` finds something, and returns it. Fails with what was awaited when the deadline passes. */
export async function until<Found>(
  what: string,
  look: () => Promise<Found | undefined | null | false> | Found | undefined | null | false,
  deadlineMs = DEADLINE_MS,
): Promise<Found> {
  const deadline = performance.now() + deadlineMs;
  for (;;) {
    const found = await look();
    if (found !== undefined && found !== null && found !== false) return found;
    if (performance.now() > deadline) throw new Error(`expected ${what} within ${deadlineMs} ms, got nothing of it`);
    await sleep(LOOK_EVERY_MS);
  }
}
