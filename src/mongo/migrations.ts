import { DEFAULT_ORGANISATION, OF_ANOTHER_ORGANISATION } from '../domain/id-rules.ts';
import { writeAllPhones } from './canonical-phones.ts';
import { databaseIdOf } from './database-id.ts';
import type { Database } from './database.ts';
import { FIRST_MIGRATION } from './first-migration.ts';
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
  FIRST_MIGRATION,
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
  {
    version: 10,
    name: 'index the waiting claims by texter, by deadline, and by what they wait for',
    oldestCodeVersion: 4,
    indexes: [
      {
        collection: 'operations',
        name: 'blocked_claims',
        keys: { campaignId: 1, 'waiting.blockedSequence': 1 },
        where: { 'waiting.blockedSequence': { $exists: true } },
        isHint: true,
      },
      {
        collection: 'operations',
        name: 'waiting_claim_of_texter',
        keys: { campaignId: 1, 'request.texterId': 1 },
        where: { 'waiting.until': { $exists: true } },
        isHint: true,
      },
      {
        collection: 'operations',
        name: 'waiting_until',
        keys: { 'waiting.until': 1 },
        where: { 'waiting.until': { $exists: true } },
        isHint: true,
      },
      {
        collection: 'operations',
        name: 'claims_to_wake',
        keys: { toWake: 1, _id: 1 },
        where: { toWake: true },
        isHint: true,
      },
    ],
  },
  {
    version: 11,
    name: 'give campaigns to organisations',
    oldestCodeVersion: 4,
    collections: ['organisations', 'api_keys', 'changes'],
    indexes: [
      {
        collection: 'campaigns',
        name: 'organisation_newest_first',
        keys: { organisationId: 1, createdAt: -1, _id: 1 },
        isHint: true,
      },
      { collection: 'api_keys', name: 'keys_by_organisation', keys: { organisationId: 1, createdAt: 1 } },
      {
        collection: 'api_keys',
        name: 'live_keys',
        keys: { organisationId: 1, name: 1, slot: 1 },
        isUnique: true,
        where: { slot: { $exists: true } },
      },
      { collection: 'changes', name: 'newest_changes', keys: { organisationId: 1, at: -1, _id: -1 }, isHint: true },
    ],
    documents: {
      change: 'add the default organisation, and set the field `organisationId` of campaigns',
      run: giveToDefaultOrganisation,
    },
  },
  {
    version: 12,
    name: 'keep the keys that sign tokens of texters',
    oldestCodeVersion: 4,
    collections: ['signing_keys'],
  },
];

/** The names of all indexes that migrations build. */
export const OWN_INDEXES = ownIndexesOf(MIGRATIONS);

export function ownIndexesOf(migrations: readonly Migration[]): ReadonlySet<string> {
  return new Set(migrations.flatMap(({ indexes = [] }) => indexes.map(({ name }) => name)));
}

/** Every campaign of the versions before has a plain id, and so belongs to the default organisation. */
async function giveToDefaultOrganisation(database: Database): Promise<void> {
  const $setOnInsert = { name: 'Default', createdAt: database.now() };
  await database.organisations.updateOne({ _id: DEFAULT_ORGANISATION }, { $setOnInsert }, { upsert: true });
  const plain = { organisationId: { $exists: false }, _id: { $not: OF_ANOTHER_ORGANISATION } };
  await database.campaigns.updateMany(plain, { $set: { organisationId: DEFAULT_ORGANISATION } });
}
