import { setTimeout as sleep } from 'node:timers/promises';

/** Few enough to be short, and enough to meet the other writer. */
const ACTS_MIN = 5;

/** Acts at most `perSecond` times a second, one act after the other, until `isOver` returns true. */
export async function repeatAtRate(perSecond: number, isOver: () => boolean, act: () => Promise<void>): Promise<void> {
  for (let acts = 0; acts < ACTS_MIN || !isOver(); acts += 1) {
    const dueAt = performance.now() + 1_000 / perSecond;
    await act();
    await sleep(Math.max(0, dueAt - performance.now()));
  }
}
