/** The results of a load. */
export interface Measured {
  /** Completed requests. A request that stopped half-way counts as half a request. */
  readonly requests: number;
  readonly perSecond: number;
  /** Of all requests. A request that stopped at the end counts with the time that it had taken. */
  readonly p50Ms: number;
  readonly p99Ms: number;
}

export interface Load {
  /** The number of requests at the same time. Each asker sends the next request when it has the result. */
  readonly askers: number;
  readonly requestsMax: number;
  readonly durationMsMax: number;
}

/**
 * Calls `ask` in a closed loop until one of the limits is reached. `ask` gets the time left, so that it can stop half-way,
 * and returns the share of its request that it completed.
 */
export async function measure(
  load: Load,
  ask: (asker: number, timeLeftMs: () => number) => Promise<number>,
): Promise<Measured> {
  const latencies: number[] = [];
  const startedAt = performance.now();
  const endsAt = startedAt + load.durationMsMax;
  const timeLeftMs = (): number => endsAt - performance.now();
  let started = 0;
  let requests = 0;
  const askRepeatedly = async (asker: number): Promise<void> => {
    while (started < load.requestsMax && timeLeftMs() > 0) {
      started += 1;
      const askedAt = performance.now();
      const done = await ask(asker, timeLeftMs);
      requests += done;
      latencies.push(performance.now() - askedAt);
    }
  };
  await Promise.all(Array.from({ length: load.askers }, (_, asker) => askRepeatedly(asker)));
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
