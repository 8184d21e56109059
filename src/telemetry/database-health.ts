import { LAYOUT, type CollectionName, type Index } from '../mongo/indexes.ts';
import type { Database } from '../mongo/database.ts';
import { readLayout } from '../mongo/layout.ts';
import { planStep } from '../mongo/layout-plan.ts';
import { isDatabaseAway } from '../mongo/server-errors.ts';
import { OWN_INDEXES } from '../mongo/migrations.ts';
import { isRequired } from '../mongo/required-layout.ts';

/** Facts that decide whether a database is ready for work. */
export interface DatabaseFacts {
  readonly version: string;
  /** The name of the replica set. `null` for a single server, which has no transactions. */
  readonly replicaSet: string | null;
  /** Collections that are missing, and indexes without which a promise does not hold or a query fails: `collection.name`. */
  readonly missingRequired: readonly string[];
  /** Missing indexes that only save time. */
  readonly missingIndexes: readonly string[];
  /** One sentence with the remedy for each collection or index that Baton cannot use. */
  readonly indexConflicts: readonly string[];
  readonly indexCount: number;
  /** How many seconds the majority of the members is behind the primary; `null` when the server does not say it. */
  readonly majorityLagS: number | null;
  /** Members that vote and store nothing. */
  readonly arbiterCount: number;
  /** The sharded collections among Baton's; `null` when the user may not see whether there are any. */
  readonly shardedCollections: readonly string[] | null;
}

export interface HealthStore {
  readFacts(): Promise<DatabaseFacts>;
}

export class MongoHealthStore implements HealthStore {
  private readonly database: Database;

  constructor(database: Database) {
    this.database = database;
  }

  async readFacts(): Promise<DatabaseFacts> {
    const [hello, build, layout] = await Promise.all([
      this.database.command({ hello: 1 }),
      this.database.command({ buildInfo: 1 }),
      readLayout(this.database),
    ]);
    const { collections, builds, conflicts } = planStep(layout, LAYOUT, OWN_INDEXES);
    const namesOf = (indexes: readonly Index[]): string[] =>
      indexes.map(({ collection, name }) => `${collection}.${name}`);
    const isCluster = hello['msg'] === 'isdbgrid';
    const setName = typeof hello['setName'] === 'string' ? hello['setName'] : null;
    return {
      version: String(build['version']),
      replicaSet: isCluster ? 'sharded cluster' : setName,
      missingRequired: [...collections, ...namesOf(builds.filter(isRequired))],
      missingIndexes: namesOf(builds.filter((index) => !isRequired(index))),
      indexConflicts: conflicts,
      indexCount: LAYOUT.indexes.length,
      majorityLagS: majorityLagOf(hello['lastWrite']),
      arbiterCount: Array.isArray(hello['arbiters']) ? hello['arbiters'].length : 0,
      shardedCollections: isCluster ? await this.findSharded([...layout.keys()]) : [],
    };
  }

  /** Only a router of a sharded cluster says whether a collection is sharded. */
  private async findSharded(collections: readonly CollectionName[]): Promise<readonly string[] | null> {
    try {
      const stats = collections.map((name) => this.database.command({ collStats: name }));
      const isSharded = (await Promise.all(stats)).map(({ sharded }) => sharded === true);
      return collections.filter((_, index) => isSharded[index]);
    } catch (error) {
      if (isDatabaseAway(error)) throw error;
      return null;
    }
  }
}

/** Needs no right, unlike the status of the replica set. */
function majorityLagOf(lastWrite: unknown): number | null {
  const { lastWriteDate, majorityWriteDate } = (lastWrite ?? {}) as Record<string, unknown>;
  if (!(lastWriteDate instanceof Date) || !(majorityWriteDate instanceof Date)) return null;
  return Math.max(0, Math.round((lastWriteDate.getTime() - majorityWriteDate.getTime()) / 1_000));
}
