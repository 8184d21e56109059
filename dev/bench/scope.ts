import type { AliveOptions } from './alive/alive.ts';

/** How much each part measures. `requests` takes about as long as the large operation beside it. */
export const FULL = {
  sizes: [20_000, 100_000, 1_000_000],
  rounds: 3,
  requests: 5_000,
  large: 1_000_000,
  manyMoves: 2_000,
  queue: { few: 10, many: 10_000, measured: 500, others: 20 },
  scale: 200_000,
  workers: [1, 2, 3],
  trips: 20_000,
  texters: { conversations: 10_000, texters: [25, 2_000, 5_000] },
  directions: { conversations: 5_000 },
  counts: { conversations: 50_000, texters: [25, 2_000] },
  indexes: { conversations: 20_000 },
  start: { conversations: 200_000 },
  distance: { requests: 20, claims: 100, conversations: 20_000 },
  warmUp: 60_000,
  alive: {
    conversations: 20_000,
    claimConversations: 50_000,
    writeRates: [100, 500, 'most'],
    limitMs: 60_000,
  } as Omit<AliveOptions, 'rounds'>,
};

export type Scope = typeof FULL;

/** Enough to check that the parts work. */
export const SMOKE: Scope = {
  sizes: [200, 400],
  rounds: 1,
  requests: 3,
  large: 1_000,
  manyMoves: 40,
  queue: { few: 4, many: 8, measured: 4, others: 2 },
  scale: 1_000,
  workers: [1, 2],
  trips: 500,
  texters: { conversations: 200, texters: [5, 60] },
  directions: { conversations: 100 },
  counts: { conversations: 200, texters: [5] },
  indexes: { conversations: 100 },
  start: { conversations: 400 },
  distance: { requests: 2, claims: 5, conversations: 200 },
  warmUp: 200,
  alive: { conversations: 400, claimConversations: 2_000, writeRates: [20, 'most'], limitMs: 5_000 },
};
