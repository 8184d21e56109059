import type { TexterLoad } from '../claims/index.ts';
import type { Candidate } from '../domain/conversation.ts';
import type { OneRequest } from './contract.ts';
import type { Stores } from './ports.ts';
import { targetsOf, textersOf } from './resolve-named.ts';

/** Returns stores that read the campaign and its texters once, however many requests of a round ask for them. */
export function readsOfRound(stores: Stores): Stores {
  return {
    ...stores,
    campaigns: replaced(stores.campaigns, { find: once((campaignId) => stores.campaigns.find(campaignId)) }),
    texters: replaced(stores.texters, { list: once((campaignId) => stores.texters.list(campaignId)) }),
    credits: replaced(stores.credits, { list: once((campaignId) => stores.credits.list(campaignId)) }),
  };
}

export interface ReadsOfMoves {
  readonly stores: Stores;
  /** The loads of the targets, if the campaign has limits. */
  readonly loads: Promise<ReadonlyMap<string, TexterLoad>>;
}

/**
 * Begins all that single moves of one campaign read, each thing once and all at the same time: if the database is far away, each
 * read that waits for another one is felt. `candidates` are their conversations.
 */
export function readsOfMoves(
  stores: Stores,
  requests: readonly OneRequest[],
  candidates: Promise<readonly Candidate[]>,
): ReadsOfMoves {
  const campaignId = requests[0]?.campaignId ?? '';
  const targets = distinct(requests.flatMap(targetsOf));
  const loads = targets.length > 0 ? stores.claims.limitedLoads(campaignId, targets) : Promise.resolve(new Map());
  // Nobody may need them.
  loads.catch(() => undefined);
  const named = once(() => stores.texters.findMany(campaignId, distinct(requests.flatMap(textersOf))));
  const found = candidates.then((all) => new Map(all.map((candidate) => [candidate.id, candidate])));
  found.catch(() => undefined);
  const of = {
    ...readsOfRound(stores),
    texters: replaced(stores.texters, { findMany: named }),
    conversations: replaced(stores.conversations, { findOne: async (_, id) => (await found).get(id) }),
  };
  return { stores: of, loads };
}

function distinct(texterIds: readonly string[]): string[] {
  return [...new Set(texterIds)];
}

function replaced<Store extends object>(store: Store, methods: Partial<Store>): Store {
  return Object.assign(Object.create(store) as Store, methods);
}

function once<Result>(read: (campaignId: string) => Promise<Result>): (campaignId: string) => Promise<Result> {
  const reads = new Map<string, Promise<Result>>();
  return (campaignId) => {
    const started = reads.get(campaignId) ?? read(campaignId);
    reads.set(campaignId, started);
    return started;
  };
}
