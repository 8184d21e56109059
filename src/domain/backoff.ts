const PAUSE_MS_MIN = 5;
const PAUSE_MS_MAX = 250;
const GROWTH = 1.5;

/**
 * Returns the pause before a transaction is repeated. It grows with the number of conflicts in a row, because the other
 * transaction may be long, and it is random, so that two transactions do not meet again and again.
 */
export function pauseMs(conflicts: number): number {
  return Math.random() * Math.min(PAUSE_MS_MIN * GROWTH ** conflicts, PAUSE_MS_MAX);
}
