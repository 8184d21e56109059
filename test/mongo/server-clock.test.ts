import { afterEach, describe, expect, it, vi } from 'vitest';
import { ServerClock } from '../../src/mongo/server-clock.ts';

const DAY_MS = 86_400_000;

describe('the clock that all workers share', () => {
  let clock: ServerClock | undefined;
  afterEach(() => {
    clock?.stop();
    vi.restoreAllMocks();
  });

  /** As told by a server whose clock is `aheadMs` ahead, in an answer that took so long. */
  async function started(aheadMs: number, tookMs: number): Promise<number> {
    clock?.stop();
    vi.spyOn(performance, 'now').mockReturnValueOnce(0).mockReturnValueOnce(tookMs);
    const asked = Date.now();
    clock = await ServerClock.start(() => Promise.resolve(new Date(asked + aheadMs)));
    return clock.now().getTime() - asked;
  }

  it('is the database’s where this machine’s is off, though the first answer be slow', async () => {
    expect(await started(-100 * DAY_MS, 5)).toBeLessThan(-99 * DAY_MS);
    expect(await started(-100 * DAY_MS, 4_000)).toBeLessThan(-99 * DAY_MS);
  });

  it('is this machine’s where they agree, as far as a slow answer can tell', async () => {
    expect(await started(300, 5)).toBeLessThan(300);
    expect(await started(-2_500, 4_000)).toBeGreaterThanOrEqual(0);
  });
});
