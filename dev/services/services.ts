import {
  chooseMongo,
  chooseRedis,
  missingServices,
  mongoLines,
  redisLines,
  type Machine,
  type MongoSource,
  type RedisSource,
} from './choose.ts';
import { inspectMachine } from './machine.ts';
import { log, SetupError } from './messages.ts';
import { DownloadProblem } from './mongod-download.ts';
import { DidNotStart, startChosen, type Services } from './start-chosen.ts';

export { startDocumentDb } from './documentdb.ts';
export { startRedis } from './redis.ts';
export type { Services } from './start-chosen.ts';

type Source = MongoSource | RedisSource;

/**
 * Finds or starts MongoDB and Redis: choose.ts says in which order. A server that does not start is replaced by the next, unless
 * its data are kept in `keptIn`: another server would keep other data.
 */
export async function startServices(keptIn?: string): Promise<Services> {
  let machine = inspectMachine(process.env, keptIn);
  const shown = new Set<string>();
  for (;;) {
    const [mongo, redis] = [chooseMongo(machine), chooseRedis(machine)];
    if (mongo.source === undefined || redis.source === undefined) {
      throw new SetupError(missingServices(mongo, redis));
    }
    // Before the start, which may download or unpack for a minute. Another choice of one service leaves the other as it was.
    for (const lines of [mongoLines(mongo), redisLines(redis)]) {
      const text = lines.join('\n');
      if (!shown.has(text)) lines.forEach(log);
      shown.add(text);
    }
    try {
      return await startChosen({ machine, mongo: mongo.source, redis: redis.source, keptIn });
    } catch (error) {
      if (!(error instanceof DidNotStart)) throw error;
      machine = without(machine, error, keptIn);
    }
  }
}

const DID_NOT_START: Readonly<Partial<Record<Source, string>>> = {
  docker: 'containers did not start',
  mongod: 'the mongod on the PATH did not start (repair it, or take it from the PATH)',
  download: 'the downloaded mongod did not start',
  installed: 'the redis-server on the PATH did not start (repair it, or take it from the PATH)',
};

/** The machine as it is without the server that did not start. Containers are tried for both services or for none. */
function without(machine: Machine, error: DidNotStart, keptIn: string | undefined): Machine {
  const { source, service } = error;
  const isDownloadMissing = error.cause instanceof DownloadProblem;
  const problem = isDownloadMissing ? error.message : (DID_NOT_START[source] ?? error.message);
  if (!isDownloadMissing) {
    if (keptIn !== undefined) throw new SetupError(notKept(keptIn, problem, error.message));
    log(`${problem}: ${error.message}`);
  }
  const excluded = { [source]: problem };
  const isOfBoth = source === 'docker';
  return {
    ...machine,
    excludedMongo: isOfBoth || service === 'mongo' ? { ...machine.excludedMongo, ...excluded } : machine.excludedMongo,
    excludedRedis: isOfBoth || service === 'redis' ? { ...machine.excludedRedis, ...excluded } : machine.excludedRedis,
  };
}

function notKept(keptIn: string, problem: string, reason: string): string {
  return `${problem}, and no other server can read what it keeps in ${keptIn}: ${reason}\nRepair it, or leave --keep out`;
}
