import type { Candidate } from '../domain/conversation.ts';
import type { Stores } from './ports.ts';

/**
 * Returns stores that read the campaign and its texters once, however many requests of a round ask for them. `candidates` are
 * the conversations that {@link ConversationStore.findOne} finds.
 */
export function readsOfRound(stores: Stores, candidates: readonly Candidate[]): Stores {
  const found = new Map(candidates.map((candidate) => [candidate.id, candidate]));
  return {
    ...stores,
    campaigns: replaced(stores.campaigns, { find: once((campaignId) => stores.campaigns.find(campaignId)) }),
    texters: replaced(stores.texters, { list: once((campaignId) => stores.texters.list(campaignId)) }),
    credits: replaced(stores.credits, { list: once((campaignId) => stores.credits.list(campaignId)) }),
    conversations: replaced(stores.conversations, { findOne: (_, id) => Promise.resolve(found.get(id)) }),
  };
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
