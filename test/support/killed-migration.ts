/** A process that is killed in the second of three migrations: `tsx killed-migration.ts MONGODB_URI`. */
import { Database } from '../../src/mongo/database.ts';
import { migrate } from '../../src/mongo/migrate.ts';

const [, , uri = ''] = process.argv;
const database = await Database.open({ uri, connectionsMax: 5, serverSelectionTimeoutMs: 5_000 });
const migrations = [1, 2, 3].map((version) => ({
  version,
  name: `fake ${version}`,
  oldestCodeVersion: 1,
  documents: {
    change: `change ${version}`,
    run: () => {
      if (version === 2) process.kill(process.pid, 'SIGKILL');
      return Promise.resolve();
    },
  },
}));
await migrate(database, { target: { migrations, layout: {} }, times: { lockMs: 1_000 } });
