import { afterEach, describe, expect, it, vi } from 'vitest';
import { ServerClock } from '../../src/mongo/server-clock.ts';

const DAY_MS = 86_400_000;

describe('the clock that all workers share', () => {
  let clock: ServerClock | undefined;
  afterEach(() => {
    clock?.stop();
    vi.restoreAllMocks();
  });

  /** Starts a clock with a server that is `aheadMs` ahead and answers after `tookMs`. Returns the clock's offset. */
  async function started(aheadMs: number, tookMs: number): Promise<number> {
    clock?.stop();
    vi.spyOn(performance, 'now').mockReturnValueOnce(0).mockReturnValueOnce(tookMs);
    const asked = Date.now();
    clock = await ServerClock.start(() => Promise.resolve(new Date(asked + aheadMs)));
    return clock.now().getTime() - asked;
  }

  it('is the clock of the database if this machine’s clock is wrong, even after a slow first answer', async () => {
    expect(await started(-100 * DAY_MS, 5)).toBeLessThan(-99 * DAY_MS);
    expect(await started(-100 * DAY_MS, 4_000)).toBeLessThan(-99 * DAY_MS);
  });

  it('is the clock of this machine if the two agree within the precision of the answer', async () => {
    expect(await started(300, 5)).toBeLessThan(300);
    expect(await started(-2_500, 4_000)).toBeGreaterThanOrEqual(0);
  });
});
