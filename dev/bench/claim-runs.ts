import { findAndGuardedUpdate, findOneAndUpdateLoop, selfAssign, type ClaimWay } from './claim-ways.ts';
import type { BenchSandbox } from './bench-sandbox.ts';
import { measure, type Measured } from './load.ts';

/** One row of the comparison. */
export interface Row extends Case, Measured {
  readonly way: string;
  readonly workers: number;
}

export interface Case {
  readonly askers: number;
  readonly count: number;
  readonly pool: number;
  readonly campaigns: number;
}

export interface Way {
  readonly name: string;
  readonly claim: ClaimWay;
  /** The number of worker processes that it needs. */
  readonly workers: number;
}

export const BATON: Way = { name: 'baton', claim: selfAssign, workers: 1 };

export const GUARDED: Way = { name: 'find, guarded update', claim: findAndGuardedUpdate, workers: 0 };
export const WAYS: readonly Way[] = [
  { name: 'loop of findOneAndUpdate', claim: findOneAndUpdateLoop, workers: 0 },
  GUARDED,
  BATON,
];
export const THE_CASE: Case = { askers: 50, count: 10, pool: 20_000, campaigns: 1 };

/** The share of the pool that may be claimed, so that no claim finds it empty. */
const POOL_SHARE_MAX = 0.8;

/** Measures one way on some campaigns, and moves their conversations back to the pool. */
export async function run(
  bench: BenchSandbox,
  campaignIds: readonly string[],
  of: Case,
  way: Way,
  { workers, seconds }: { readonly workers: number; readonly seconds: number },
): Promise<Row> {
  const requestsMax = Math.floor((of.pool * POOL_SHARE_MAX) / of.count);
  let requests = 0;
  const ask = async (asker: number, timeLeftMs: () => number): Promise<number> => {
    const campaignId = campaignIds[(requests += 1) % campaignIds.length] ?? '';
    const wanted = { campaignId, texterId: `t${asker}`, count: of.count, timeLeftMs };
    return (await way.claim(bench.sandbox, wanted)) / of.count;
  };
  const warmUp = { askers: Math.min(of.askers, requestsMax), requestsMax: Math.min(of.askers, requestsMax / 4) };
  await measure({ ...warmUp, durationMsMax: 1_000 }, ask);
  const load = {
    askers: of.askers,
    requestsMax: requestsMax - warmUp.requestsMax,
    durationMsMax: seconds * 1_000,
  };
  const measured = await measure(load, ask);
  await bench.refillPools(campaignIds);
  return { ...of, ...measured, way: way.name, workers };
}
