import type { Config } from '../../config.ts';
import { createContext } from '../../context.ts';
import { hasGoneBack, type DatabaseAge } from '../../domain/database-age.ts';
import { readDatabaseAge, readDatabaseId } from '../../mongo/database-id.ts';
import { withRedis } from '../../queue/connection.ts';
import { readOwner, type QueueOwner, type WentBack } from '../../queue/queue-owner.ts';
import { moment } from '../terminal.ts';
import { fail, ok, warn, type Check } from './check.ts';

const WENT_BACK_SHOWN_MS = 14 * 24 * 60 * 60 * 1_000;

/** Returns nothing when MongoDB or Redis cannot be reached: other checks say so. */
export async function checkOwner(config: Config): Promise<Check[]> {
  const { redisUrl, prefix } = config.queue;
  try {
    // Redis first, because a worker stores the age of the database in MongoDB first.
    const owner = await withRedis(redisUrl, (redis) => readOwner(redis, prefix));
    const context = await createContext(config);
    try {
      const databaseId = await readDatabaseId(context.database);
      if (databaseId === null)
        return [warn('database', `${context.database.name} has no id`, 'create it with `baton migrate`')];
      const age = await readDatabaseAge(context.database);
      const own = `${context.database.name} (${databaseId})`;
      return [ownerCheck(databaseId, own, owner), ...ageChecks(databaseId, age, owner, context.clock.now())];
    } finally {
      await context.close();
    }
  } catch {
    return [];
  }
}

function ownerCheck(databaseId: string, own: string, owner: QueueOwner | null): Check {
  if (!owner) return ok('database', `${own}; the queues belong to no database yet`);
  if (owner.databaseId === databaseId) return ok('database', `${own}; the queues belong to it`);
  return fail(
    'database',
    `${own}; the queues belong to the database ${owner.databaseName ?? 'without a known name'} (${owner.databaseId})`,
    'compare the name in MONGODB_URI with that of the workers; or give this database a BATON_QUEUE_PREFIX of its own, or move the queues to it with `baton adopt`',
  );
}

function ageChecks(databaseId: string, age: DatabaseAge | null, owner: QueueOwner | null, now: Date): Check[] {
  if (owner?.databaseId !== databaseId) return [];
  if (owner.age && hasGoneBack(owner.age, age)) {
    const wentBack = { to: age?.at ?? null, from: owner.age.at };
    return [
      fail(
        'database age',
        `has gone back ${spanOf(wentBack)}`,
        `the next reconcile pass of a worker notes it; ${ADVICE}`,
      ),
    ];
  }
  const { wentBack } = owner;
  if (!wentBack || now.getTime() - wentBack.noticedAt.getTime() > WENT_BACK_SHOWN_MS) return [];
  return [warn('database age', `went back ${spanOf(wentBack)}, noticed at ${moment(wentBack.noticedAt)}`, ADVICE)];
}

const ADVICE =
  'if it was restored from a backup, send the operations since then again; if two copies of one database use this Redis, ' +
  'give one of them a BATON_QUEUE_PREFIX of its own';

function spanOf({ from, to }: Pick<WentBack, 'from' | 'to'>): string {
  return `from ${moment(from)} to ${to ? moment(to) : 'a time before the first reconcile pass'}`;
}
