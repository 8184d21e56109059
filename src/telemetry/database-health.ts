import type { DatabaseFacts, HealthStore } from './health.ts';
import { compareIndexes } from '../mongo/build-indexes.ts';
import type { Database } from '../mongo/database.ts';
import { INDEXES } from '../mongo/indexes.ts';

export class MongoHealthStore implements HealthStore {
  private readonly database: Database;

  constructor(database: Database) {
    this.database = database;
  }

  async readFacts(): Promise<DatabaseFacts> {
    const [hello, build, { missing, conflicts }] = await Promise.all([
      this.database.command({ hello: 1 }),
      this.database.command({ buildInfo: 1 }),
      compareIndexes(this.database),
    ]);
    const isSharded = hello['msg'] === 'isdbgrid';
    const setName = typeof hello['setName'] === 'string' ? hello['setName'] : null;
    return {
      version: String(build['version']),
      replicaSet: isSharded ? 'sharded cluster' : setName,
      missingIndexes: missing.map(({ collection, name }) => `${collection}.${name}`),
      indexConflicts: conflicts,
      indexCount: INDEXES.length,
    };
  }
}
