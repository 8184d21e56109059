import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { Pace } from '../../workers/pace.ts';

describe('the pace of bulk operations', () => {
  beforeEach(() => void vi.useFakeTimers({ toFake: ['performance'] }));
  afterEach(() => void vi.useRealTimers());

  it('is half while a person waits for an answer, and for a second afterwards', async () => {
    const pace = new Pace();
    const limits = pace.limits({ batchConversationsMax: 100, batchesInFlightMax: 5 });
    let resolve: (answer: string) => void = () => undefined;
    const promise = new Promise<string>((settle) => (resolve = settle));
    expect(limits.batchesInFlightMax).toBe(5);
    const answered = pace.answering(() => promise);
    vi.advanceTimersByTime(60_000);
    expect(limits).toEqual({ batchConversationsMax: 100, batchesInFlightMax: 3 });
    resolve('answer');
    expect(await answered).toBe('answer');
    vi.advanceTimersByTime(999);
    expect(limits.batchesInFlightMax).toBe(3);
    vi.advanceTimersByTime(1);
    expect(limits.batchesInFlightMax).toBe(5);
  });

  it('is full again after a request that failed', async () => {
    const pace = new Pace();
    const limits = pace.limits({ batchConversationsMax: 100, batchesInFlightMax: 4 });
    await expect(pace.answering(() => Promise.reject(new Error('the claim fails')))).rejects.toThrow('the claim fails');
    vi.advanceTimersByTime(1_000);
    expect(limits.batchesInFlightMax).toBe(4);
  });
});
