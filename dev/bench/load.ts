/** What a load came to: answers a second, and how long one took, in milliseconds. */
export interface Measured {
  readonly requests: number;
  readonly perSecond: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
}

export interface Load {
  /** How many ask at once; each asks again as soon as it is answered. */
  readonly askers: number;
  readonly requestsMax: number;
  readonly durationMsMax: number;
}

/** A closed loop of `ask`, until either limit is reached. */
export async function measure(load: Load, ask: (asker: number) => Promise<void>): Promise<Measured> {
  const latencies: number[] = [];
  const startedAt = performance.now();
  const endsAt = startedAt + load.durationMsMax;
  let begun = 0;
  const askOn = async (asker: number): Promise<void> => {
    while (begun < load.requestsMax && performance.now() < endsAt) {
      begun += 1;
      const askedAt = performance.now();
      await ask(asker);
      latencies.push(performance.now() - askedAt);
    }
  };
  await Promise.all(Array.from({ length: load.askers }, (_, asker) => askOn(asker)));
  const seconds = (performance.now() - startedAt) / 1_000;
  latencies.sort((a, b) => a - b);
  return {
    requests: latencies.length,
    perSecond: latencies.length / seconds,
    p50Ms: quantile(latencies, 0.5),
    p99Ms: quantile(latencies, 0.99),
  };
}

function quantile(sorted: readonly number[], share: number): number {
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? NaN;
}
