import type { Layout } from './layout-plan.ts';

/** The step to the first version of the schema. See `migrations.ts`. */
export const FIRST_MIGRATION = {
  version: 1,
  name: 'create the collections and indexes',
  oldestCodeVersion: 1,
  collections: ['campaigns', 'texters', 'conversations', 'operations', 'batches'],
  indexes: [
    { collection: 'texters', name: 'texter_by_id', keys: { campaignId: 1, texterId: 1 }, isUnique: true },
    {
      collection: 'conversations',
      name: 'assignee_in_order',
      keys: { campaignId: 1, assigneeId: 1, status: 1, waitingSince: 1, _id: 1 },
      isHint: true,
    },
    {
      collection: 'conversations',
      name: 'pool_in_order',
      keys: { campaignId: 1, status: 1, waitingSince: 1, _id: 1 },
      where: { assigneeId: null },
      isHint: true,
    },
    {
      collection: 'conversations',
      name: 'claimable_in_order',
      keys: { campaignId: 1, waitingSince: 1, _id: 1 },
      where: { assigneeId: null, status: 'not-started', optedOut: false },
      isHint: true,
    },
    {
      collection: 'conversations',
      name: 'contact_by_phone',
      keys: { campaignId: 1, 'contact.phone': 1 },
      isUnique: true,
      isHint: true,
    },
    { collection: 'conversations', name: 'contact_by_external_id', keys: { campaignId: 1, externalId: 1 } },
    { collection: 'conversations', name: 'contact_by_name', keys: { campaignId: 1, 'contact.name': 1 } },
    { collection: 'operations', name: 'campaign_in_sequence', keys: { campaignId: 1, state: 1, sequence: 1 } },
    {
      collection: 'operations',
      name: 'campaign_newest_first',
      keys: { campaignId: 1, acceptedAt: -1, _id: 1 },
      isHint: true,
    },
    { collection: 'operations', name: 'state_in_order', keys: { state: 1, acceptedAt: 1, _id: 1 }, isHint: true },
    {
      collection: 'operations',
      name: 'campaign_lock',
      keys: { campaignLock: 1 },
      isUnique: true,
      where: { campaignLock: { $exists: true } },
    },
    {
      collection: 'operations',
      name: 'waiting_claims',
      keys: { campaignId: 1, 'waiting.sequence': 1 },
      where: { 'waiting.sequence': { $exists: true } },
    },
    { collection: 'batches', name: 'shortfalls', keys: { operationId: 1 }, where: { shortfalls: { $exists: true } } },
  ],
} as const satisfies Layout & { readonly version: number; readonly name: string; readonly oldestCodeVersion: number };
