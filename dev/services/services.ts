import { chooseServices, type Choice, type Facts } from './choose.ts';
import { startContainers, type DockerServices } from './docker.ts';
import { startDocumentDb, type DocumentDb } from './documentdb.ts';
import { gatherFacts } from './facts.ts';
import { checkMongo, checkRedis } from './given.ts';
import { startRedis, type RedisServer } from './redis.ts';
import { say, SetupError } from './say.ts';

export { startDocumentDb } from './documentdb.ts';
export { startRedis } from './redis.ts';

export interface Services {
  readonly mongodbUri: string;
  readonly redisUrl: string;
  /** All that an inner command needs in its environment to find the services. */
  readonly env: Readonly<Record<string, string>>;
  /** There when they are private servers of our own, neither given nor containers. */
  readonly mongo?: DocumentDb;
  readonly redis?: RedisServer;
  /** Whether anything was started that `stop` will stop. */
  readonly isPrivate: boolean;
  stop(): Promise<void>;
}

type Possible = Extract<Choice, { possible: true }>;

/** Finds or starts MongoDB and Redis; see `chooseServices` for the order. */
export async function startServices(env: NodeJS.ProcessEnv = process.env): Promise<Services> {
  const facts = gatherFacts(env);
  try {
    return await startChosen(facts);
  } catch (error) {
    if (!facts.docker) throw error;
    say(`containers did not start: ${error instanceof Error ? error.message : String(error)}`);
    return startChosen({ ...facts, docker: false });
  }
}

type Stop = () => Promise<void>;

async function startChosen(facts: Facts): Promise<Services> {
  const choice = chooseServices(facts);
  if (!choice.possible) throw new SetupError(choice.message);
  const stops: Stop[] = [];
  const stop = async (): Promise<void> => {
    while (stops.length > 0) await stops.pop()?.();
  };
  try {
    if (choice.mongo === 'given') await checkMongo(facts.mongodbUri ?? '');
    if (choice.redis === 'given') await checkRedis(facts.redisUrl ?? '');
    const containers = await startWanted(choice, stops);
    const redis = choice.redis === 'private' ? await startOwnRedis(stops) : undefined;
    const mongo = choice.mongo === 'private' ? await startOwnMongo(stops) : undefined;
    const mongodbUri = mongo?.uri ?? (choice.mongo === 'docker' ? containers?.mongodbUri : facts.mongodbUri) ?? '';
    const redisUrl = redis?.url ?? (choice.redis === 'docker' ? containers?.redisUrl : facts.redisUrl) ?? '';
    const isPrivate = stops.length > 0;
    return { mongodbUri, redisUrl, env: asEnv(mongodbUri, redisUrl, mongo), ...asParts(mongo, redis), isPrivate, stop };
  } catch (error) {
    await stop();
    throw error;
  }
}

async function startWanted(choice: Possible, stops: Stop[]): Promise<DockerServices | undefined> {
  const wanted = (['mongo', 'redis'] as const).filter((service) => choice[service] === 'docker');
  if (wanted.length === 0) return undefined;
  say(`starting containers (docker compose: ${wanted.join(', ')})…`);
  const containers = await startContainers(wanted);
  stops.push(() => containers.stop());
  return containers;
}

async function startOwnRedis(stops: Stop[]): Promise<RedisServer> {
  const redis = await startRedis();
  stops.push(() => redis.stop());
  say(`started Redis (private, port ${redis.port})`);
  return redis;
}

async function startOwnMongo(stops: Stop[]): Promise<DocumentDb> {
  const mongo = await startDocumentDb();
  stops.push(() => mongo.stop());
  say(`started DocumentDB, which speaks MongoDB (private, ${mongo.uri}; its PostgreSQL: port ${mongo.port})`);
  return mongo;
}

/** `BATON_DEV_POSTGRES` lets benchmarks reach the database without the wire front between. */
function asEnv(mongodbUri: string, redisUrl: string, mongo: DocumentDb | undefined): Record<string, string> {
  const env = { MONGODB_URI: mongodbUri, REDIS_URL: redisUrl };
  return mongo === undefined ? env : { ...env, BATON_DEV_POSTGRES: mongo.postgres };
}

function asParts(mongo?: DocumentDb, redis?: RedisServer): Pick<Services, 'mongo' | 'redis'> {
  return { ...(mongo === undefined ? {} : { mongo }), ...(redis === undefined ? {} : { redis }) };
}
