/** What a load came to: answers a second, and how long one took, in milliseconds. */
export interface Measured {
  /** Answered, in whole requests: one that was cut off half-way counts as half a request. */
  readonly requests: number;
  readonly perSecond: number;
  /** Of all, those cut off at the end included with the time they had taken by then. */
  readonly p50Ms: number;
  readonly p99Ms: number;
}

export interface Load {
  /** How many ask at once; each asks again as soon as it is answered. */
  readonly askers: number;
  readonly requestsMax: number;
  readonly durationMsMax: number;
}

/**
 * A closed loop of `ask`, until either limit is reached. It is told how much time is left, so that it can stop in
 * mid-way, and says which share of its request it has done.
 */
export async function measure(
  load: Load,
  ask: (asker: number, timeLeftMs: () => number) => Promise<number>,
): Promise<Measured> {
  const latencies: number[] = [];
  const startedAt = performance.now();
  const endsAt = startedAt + load.durationMsMax;
  const timeLeftMs = (): number => endsAt - performance.now();
  let begun = 0;
  let requests = 0;
  const askOn = async (asker: number): Promise<void> => {
    while (begun < load.requestsMax && timeLeftMs() > 0) {
      begun += 1;
      const askedAt = performance.now();
      const done = await ask(asker, timeLeftMs);
      requests += done;
      latencies.push(performance.now() - askedAt);
    }
  };
  await Promise.all(Array.from({ length: load.askers }, (_, asker) => askOn(asker)));
  const seconds = (performance.now() - startedAt) / 1_000;
  latencies.sort((a, b) => a - b);
  return {
    requests,
    perSecond: requests / seconds,
    p50Ms: quantile(latencies, 0.5),
    p99Ms: quantile(latencies, 0.99),
  };
}

export function median(values: readonly number[]): number {
  return quantile(
    [...values].sort((a, b) => a - b),
    0.5,
  );
}

export function quantile(sorted: readonly number[], share: number): number {
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? NaN;
}
