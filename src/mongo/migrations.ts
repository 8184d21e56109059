import { writeCanonicalPhones } from './canonical-phones.ts';
import { databaseIdOf } from './database-id.ts';
import { IN_ONE_BATCH, type Database } from './database.ts';
import type { CampaignDoc } from './documents.ts';
import type { Layout } from './layout-plan.ts';

/**
 * One step from a version of the database schema to the next. A released migration never changes: it lists its indexes
 * itself, because the list of today's indexes changes with later versions.
 */
export interface Migration extends Layout {
  /** The version of the schema after this step. The first step has version 1, and there are no gaps. */
  readonly version: number;
  /** A short sentence for the log: "create the collections". */
  readonly name: string;
  /**
   * The oldest schema version whose code works with the database after this step. Keep the version of the previous
   * release here, so that its workers keep running during the upgrade.
   */
  readonly oldestCodeVersion: number;
  /** Changes documents, after the indexes are built. */
  readonly documents?: {
    /** The sentence for the dry run: "set the field `closed` of campaigns". */
    readonly change: string;
    /** Must be safe to repeat: a process can die after any of its writes. `log` writes a line for people. */
    run(database: Database, log: (line: string) => void): Promise<void>;
  };
}

/** `INDEXES` in indexes.ts says which queries need each index. */
export const MIGRATIONS: readonly Migration[] = [
  {
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
  },
  {
    version: 2,
    name: 'index the conversations of contacts who opted out',
    oldestCodeVersion: 1,
    indexes: [
      {
        collection: 'conversations',
        name: 'opted_out_by_assignee',
        keys: { campaignId: 1, assigneeId: 1, status: 1, optedOut: 1 },
        where: { optedOut: true },
        isHint: true,
      },
    ],
  },
  {
    version: 3,
    name: 'write phone numbers in one form',
    oldestCodeVersion: 1,
    documents: {
      change: 'set the field `country` of campaigns, and write phone numbers in the form of E.164',
      run: writeAllPhones,
    },
  },
  {
    version: 4,
    name: 'store the credits of texters',
    // Code of version 3 cannot read a campaign without `rotation`.
    oldestCodeVersion: 4,
    collections: ['credits'],
    documents: {
      change: 'remove the field `rotation` of campaigns',
      run: async (database) => {
        await database.campaigns.updateMany({ rotation: { $exists: true } }, { $unset: { rotation: '' } });
      },
    },
  },
  {
    version: 5,
    name: 'index the conversations that do not say whether the contact opted out',
    oldestCodeVersion: 4,
    indexes: [
      {
        collection: 'conversations',
        name: 'no_opt_out_by_assignee',
        keys: { campaignId: 1, optedOut: 1, assigneeId: 1, status: 1 },
        where: { optedOut: null },
        isHint: true,
      },
    ],
  },
  {
    version: 6,
    name: 'index the operations that wait for others of their campaign',
    oldestCodeVersion: 4,
    indexes: [
      {
        collection: 'operations',
        name: 'queued_in_sequence',
        keys: { campaignId: 1, sequence: 1 },
        where: { state: 'accepted', sequence: { $gt: 0 } },
        isHint: true,
      },
    ],
  },
  {
    version: 7,
    name: 'give the database an id',
    oldestCodeVersion: 4,
    documents: {
      change: 'set the field `databaseId` of the schema',
      run: async (database) => void (await databaseIdOf(database)),
    },
  },
  {
    version: 8,
    name: 'record the processes that run transactions',
    oldestCodeVersion: 4,
    collections: ['processes'],
  },
  {
    version: 9,
    name: 'index the conversations of all assignees in the order of selection',
    oldestCodeVersion: 4,
    indexes: [
      {
        collection: 'conversations',
        name: 'everyone_in_order',
        keys: { campaignId: 1, status: 1, waitingSince: 1, _id: 1, optedOut: 1 },
        isHint: true,
      },
    ],
  },
];

/** The names of all indexes that migrations build. */
export const OWN_INDEXES = ownIndexesOf(MIGRATIONS);

export function ownIndexesOf(migrations: readonly Migration[]): ReadonlySet<string> {
  return new Set(migrations.flatMap(({ indexes = [] }) => indexes.map(({ name }) => name)));
}

/** No campaign has a country yet, so national numbers stay as they are until `baton phones` runs. */
async function writeAllPhones(database: Database, log: (line: string) => void): Promise<void> {
  await database.campaigns.updateMany({ country: { $exists: false } }, { $set: { country: null } });
  const found = database.models.campaigns.find({}, { country: 1 }, IN_ONE_BATCH);
  for (const { _id: campaignId, country } of await found.lean<Pick<CampaignDoc, '_id' | 'country'>[]>()) {
    const { rewritten, unreadable, sharedCount } = await writeCanonicalPhones(database, campaignId, country);
    if (rewritten + unreadable + sharedCount === 0) continue;
    log(
      `campaign ${campaignId}: ${rewritten} phone numbers rewritten, ${unreadable} cannot be read, ${sharedCount} are ` +
        `shared by several conversations; see \`baton phones ${campaignId}\``,
    );
  }
}
