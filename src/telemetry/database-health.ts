import type { DatabaseFacts, HealthStore } from './health.ts';
import type { Database } from '../mongo/database.ts';

/** The server's code for a collection that does not exist yet. */
const NAMESPACE_NOT_FOUND = 26;

export class MongoHealthStore implements HealthStore {
  private readonly database: Database;

  constructor(database: Database) {
    this.database = database;
  }

  async readFacts(): Promise<DatabaseFacts> {
    const [hello, build] = await Promise.all([
      this.database.command({ hello: 1 }),
      this.database.command({ buildInfo: 1 }),
    ]);
    const isSharded = hello['msg'] === 'isdbgrid';
    const setName = typeof hello['setName'] === 'string' ? hello['setName'] : null;
    return {
      version: String(build['version']),
      replicaSet: isSharded ? 'sharded cluster' : setName,
      ...(await this.indexes()),
    };
  }

  private async indexes(): Promise<Pick<DatabaseFacts, 'missingIndexes' | 'indexCount'>> {
    const missingIndexes: string[] = [];
    let indexCount = 0;
    for (const model of Object.values(this.database.models)) {
      const { name } = model.collection;
      const found = new Set(await this.keysOf(name));
      for (const [keys, options] of model.schema.indexes()) {
        indexCount += 1;
        if (!found.has(JSON.stringify(keys))) missingIndexes.push(`${name}.${options.name ?? defaultName(keys)}`);
      }
    }
    return { missingIndexes, indexCount };
  }

  private async keysOf(collection: string): Promise<string[]> {
    try {
      const listed = await this.database.command({ listIndexes: collection, cursor: { batchSize: 1_000 } });
      const batch = (listed['cursor'] as { firstBatch: { key: object }[] }).firstBatch;
      return batch.map(({ key }) => JSON.stringify(key));
    } catch (error) {
      if (typeof error === 'object' && error !== null && 'code' in error && error.code === NAMESPACE_NOT_FOUND)
        return [];
      throw error;
    }
  }
}

/** The name that the server gives an index when nobody else does. */
function defaultName(keys: object): string {
  return Object.entries(keys).flat().join('_');
}
