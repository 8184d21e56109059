import type { mongo } from 'mongoose';
import { CLAIMABLE, IS_WAITING, QUEUED, TO_WAKE } from './documents.ts';

export interface Index {
  readonly collection: CollectionName;
  readonly name: string;
  readonly keys: Readonly<Record<string, 1 | -1>>;
  readonly isUnique?: true;
  /** Only documents that match this filter are in the index. */
  readonly where?: mongo.Document;
  /** True where a query names the index as its hint. Such an index must have exactly this name. */
  readonly isHint?: true;
}

export const COLLECTIONS = [
  'campaigns',
  'credits',
  'texters',
  'conversations',
  'operations',
  'batches',
  'processes',
  'organisations',
  'api_keys',
  'changes',
  'signing_keys',
] as const;

export type CollectionName = (typeof COLLECTIONS)[number];

export const ASSIGNEE_INDEX = 'assignee_in_order';
export const POOL_INDEX = 'pool_in_order';
export const EVERYONE_INDEX = 'everyone_in_order';
export const OPTED_OUT_INDEX = 'opted_out_by_assignee';
export const NO_OPT_OUT_INDEX = 'no_opt_out_by_assignee';
export const CLAIMABLE_INDEX = 'claimable_in_order';
export const PHONE_INDEX = 'contact_by_phone';
export const NEWEST_INDEX = 'campaign_newest_first';
export const LOCK_INDEX = 'campaign_lock';
export const STATE_INDEX = 'state_in_order';
export const QUEUED_INDEX = 'queued_in_sequence';
export const BLOCKED_INDEX = 'blocked_claims';
export const WAITING_INDEX = 'waiting_claim_of_texter';
export const DEADLINE_INDEX = 'waiting_until';
export const TO_WAKE_INDEX = 'claims_to_wake';
export const ORGANISATION_INDEX = 'organisation_newest_first';
export const CHANGES_INDEX = 'newest_changes';

/**
 * The hint of reads and writes by ids that have other conditions too. Without it, a server may walk through a range of another
 * index and take the ids as a condition.
 */
export const BY_ID = { _id: 1 } as const;

/**
 * Every index of the database, with the queries that it serves. A change here needs a new migration, which lists the
 * indexes that it drops and builds.
 */
export const INDEXES: readonly Index[] = [
  // Lists an organisation's campaigns, newest first.
  {
    collection: 'campaigns',
    name: ORGANISATION_INDEX,
    keys: { organisationId: 1, createdAt: -1, _id: 1 },
    isHint: true,
  },

  // Reads a campaign's texters, finds a texter by id, and keeps two texters of a campaign from having the same id.
  { collection: 'texters', name: 'texter_by_id', keys: { campaignId: 1, texterId: 1 }, isUnique: true },

  // Reads one texter's conversations of one status in the order of selection (plans, the conversations view), and counts
  // conversations by assignee and status (previews, the limits of a claim, the senders view).
  {
    collection: 'conversations',
    name: ASSIGNEE_INDEX,
    keys: { campaignId: 1, assigneeId: 1, status: 1, waitingSince: 1, _id: 1 },
    isHint: true,
  },
  // Reads the pool in the order of selection. In an index over all conversations, `assigneeId: null` also matches
  // documents without the field, which is not one range on every server.
  {
    collection: 'conversations',
    name: POOL_INDEX,
    keys: { campaignId: 1, status: 1, waitingSince: 1, _id: 1 },
    where: { assigneeId: null },
    isHint: true,
  },
  // Reads the conversations of all or most assignees in the order of selection, as one range. A move changes none of its
  // keys. The last one only makes them differ from those of the pool, because some servers refuse two such indexes.
  {
    collection: 'conversations',
    name: EVERYONE_INDEX,
    keys: { campaignId: 1, status: 1, waitingSince: 1, _id: 1, optedOut: 1 },
    isHint: true,
  },
  // Counts the conversations that stay with their assignees because the contacts opted out, for the limits of claims too.
  {
    collection: 'conversations',
    name: OPTED_OUT_INDEX,
    keys: { campaignId: 1, assigneeId: 1, status: 1, optedOut: 1 },
    where: { optedOut: true },
    isHint: true,
  },
  // Counts the conversations of other programs that do not say whether the contact opted out. There are none in most databases.
  {
    collection: 'conversations',
    name: NO_OPT_OUT_INDEX,
    keys: { campaignId: 1, optedOut: 1, assigneeId: 1, status: 1 },
    where: { optedOut: null },
    isHint: true,
  },
  // Reads the head of the pool for claims. Conversations that a claim cannot receive are not in the index.
  {
    collection: 'conversations',
    name: CLAIMABLE_INDEX,
    keys: { campaignId: 1, waitingSince: 1, _id: 1 },
    where: CLAIMABLE,
    isHint: true,
  },
  // Keeps a contact from having two conversations in a campaign, finds the known phone numbers of an import, and gives
  // the export an order that does not change while conversations move.
  {
    collection: 'conversations',
    name: PHONE_INDEX,
    keys: { campaignId: 1, 'contact.phone': 1 },
    isUnique: true,
    isHint: true,
  },
  // Finds conversations by the id that another system gave them.
  { collection: 'conversations', name: 'contact_by_external_id', keys: { campaignId: 1, externalId: 1 } },
  // Finds conversations by the name of the contact.
  { collection: 'conversations', name: 'contact_by_name', keys: { campaignId: 1, 'contact.name': 1 } },

  // Finds the next bulk operation of a campaign: the running one, else the first accepted one.
  { collection: 'operations', name: 'campaign_in_sequence', keys: { campaignId: 1, state: 1, sequence: 1 } },
  // Finds the campaigns with waiting bulk operations, and the first one of each (reconcile).
  {
    collection: 'operations',
    name: QUEUED_INDEX,
    keys: { campaignId: 1, sequence: 1 },
    where: QUEUED,
    isHint: true,
  },
  // Lists a campaign's operations, newest first.
  { collection: 'operations', name: NEWEST_INDEX, keys: { campaignId: 1, acceptedAt: -1, _id: 1 }, isHint: true },
  // Reads the unfinished operations (reconcile), the failed ones (`baton failed`) and those old enough to be deleted.
  { collection: 'operations', name: STATE_INDEX, keys: { state: 1, acceptedAt: 1, _id: 1 }, isHint: true },
  // Lets one bulk operation of a campaign run at a time: taking the lock a second time is a duplicate key. Finds the running
  // bulk operation for a round of claims.
  {
    collection: 'operations',
    name: LOCK_INDEX,
    keys: { campaignLock: 1 },
    isUnique: true,
    where: { campaignLock: { $exists: true } },
    isHint: true,
  },
  // Reads the waiting claims of a campaign in order, without those that a rule blocks.
  {
    collection: 'operations',
    name: 'waiting_claims',
    keys: { campaignId: 1, 'waiting.sequence': 1 },
    where: { 'waiting.sequence': { $exists: true } },
  },

  // Reads the waiting claims of a campaign that a rule blocks.
  {
    collection: 'operations',
    name: BLOCKED_INDEX,
    keys: { campaignId: 1, 'waiting.blockedSequence': 1 },
    where: { 'waiting.blockedSequence': { $exists: true } },
    isHint: true,
  },
  // Finds the waiting claim of a texter, all those of a campaign, and the campaigns that have one (reconcile).
  {
    collection: 'operations',
    name: WAITING_INDEX,
    keys: { campaignId: 1, 'request.texterId': 1 },
    where: IS_WAITING,
    isHint: true,
  },
  // Finds the waiting claims whose deadline has passed, and reads all in turns (reconcile).
  {
    collection: 'operations',
    name: DEADLINE_INDEX,
    keys: { 'waiting.until': 1 },
    where: IS_WAITING,
    isHint: true,
  },
  // Finds the claims that have ended and whose job has not been woken (reconcile).
  { collection: 'operations', name: TO_WAKE_INDEX, keys: { toWake: 1, _id: 1 }, where: TO_WAKE, isHint: true },

  // Finds the few batches of an operation that had shortfalls. Batches are otherwise found by their ids.
  { collection: 'batches', name: 'shortfalls', keys: { operationId: 1 }, where: { shortfalls: { $exists: true } } },

  // Lists an organisation's API keys.
  { collection: 'api_keys', name: 'keys_by_organisation', keys: { organisationId: 1, createdAt: 1 } },
  // Keeps an app from having more than two live keys.
  {
    collection: 'api_keys',
    name: 'live_keys',
    keys: { organisationId: 1, name: 1, slot: 1 },
    isUnique: true,
    where: { slot: { $exists: true } },
  },
  // Lists an organisation's changes, newest first.
  {
    collection: 'changes',
    name: CHANGES_INDEX,
    keys: { organisationId: 1, at: -1, _id: -1 },
    isHint: true,
  },
];

/** The collections and indexes after all migrations. */
export const LAYOUT = { collections: COLLECTIONS, indexes: INDEXES } as const;
