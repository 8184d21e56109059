import { join } from 'node:path';
import { chooseServices, inspectMachine, type Choice, type Machine } from './choose.ts';
import { startContainers, type DockerServices } from './docker.ts';
import { startDocumentDb, type DocumentDb } from './documentdb.ts';
import { checkMongo, checkRedis } from './environment-services.ts';
import { errorMessage, log, SetupError } from './messages.ts';
import { startRedis, type RedisServer } from './redis.ts';

export { startDocumentDb } from './documentdb.ts';
export { startRedis } from './redis.ts';

export interface Services {
  readonly mongodbUri: string;
  readonly redisUrl: string;
  /** The environment variables from which a command finds the services. */
  readonly env: Readonly<Record<string, string>>;
  /** False when the environment named both servers. */
  readonly wereStarted: boolean;
  stop(): Promise<void>;
}

type PossibleChoice = Extract<Choice, { possible: true }>;
type Stop = () => Promise<void>;

/**
 * Finds or starts MongoDB and Redis. `chooseServices` decides which. Servers that it starts keep their data in `keptIn`. Other
 * servers would keep other data there, so containers that do not start are an error then.
 */
export async function startServices(keptIn?: string): Promise<Services> {
  const machine = inspectMachine(process.env);
  try {
    return await startChosen(machine, keptIn);
  } catch (error) {
    if (!machine.docker) throw error;
    if (keptIn !== undefined) throw new SetupError(keptWithoutContainers(keptIn, error));
    log(`containers did not start: ${errorMessage(error)}`);
    return startChosen({ ...machine, docker: false }, keptIn);
  }
}

function keptWithoutContainers(keptIn: string, error: unknown): string {
  return `containers did not start, and only they can read what they keep in ${keptIn} (${errorMessage(error)}): start Docker, or leave --keep out`;
}

async function startChosen(machine: Machine, keptIn: string | undefined): Promise<Services> {
  const choice = chooseServices(machine);
  if (!choice.possible) throw new SetupError(choice.message);
  const stops: Stop[] = [];
  const stop = async (): Promise<void> => {
    while (stops.length > 0) await stops.pop()?.();
  };
  try {
    if (choice.mongo === 'environment') await checkMongo(machine.mongodbUri ?? '');
    if (choice.redis === 'environment') await checkRedis(machine.redisUrl ?? '');
    const containers = await startChosenContainers(choice, stops, keptIn);
    const redis = choice.redis === 'private' ? await startPrivateRedis(stops, keptIn) : undefined;
    const mongo = choice.mongo === 'private' ? await startPrivateMongo(stops, keptIn) : undefined;
    const mongodbUri = mongo?.uri ?? (choice.mongo === 'docker' ? containers?.mongodbUri : machine.mongodbUri) ?? '';
    const redisUrl = redis?.url ?? (choice.redis === 'docker' ? containers?.redisUrl : machine.redisUrl) ?? '';
    return { mongodbUri, redisUrl, env: asEnv(mongodbUri, redisUrl, mongo), wereStarted: stops.length > 0, stop };
  } catch (error) {
    await stop();
    throw error;
  }
}

async function startChosenContainers(
  choice: PossibleChoice,
  stops: Stop[],
  keptIn: string | undefined,
): Promise<DockerServices | undefined> {
  const services = (['mongo', 'redis'] as const).filter((service) => choice[service] === 'docker');
  if (services.length === 0) return undefined;
  log(`starting containers (docker compose: ${services.join(', ')})…`);
  const containers = await startContainers(services, keptIn);
  stops.push(() => containers.stop());
  return containers;
}

async function startPrivateRedis(stops: Stop[], keptIn: string | undefined): Promise<RedisServer> {
  const redis = await startRedis(keptIn === undefined ? {} : { dir: join(keptIn, 'redis') });
  stops.push(() => redis.stop());
  log(`started Redis (private, port ${redis.port})`);
  return redis;
}

async function startPrivateMongo(stops: Stop[], keptIn: string | undefined): Promise<DocumentDb> {
  const mongo = await startDocumentDb(keptIn && join(keptIn, 'documentdb'));
  stops.push(() => mongo.stop());
  log(`started DocumentDB, a MongoDB-compatible server (private, ${mongo.uri})`);
  return mongo;
}

/** `BATON_DEV_POSTGRES` is for benchmarks and tests that need PostgreSQL itself. */
function asEnv(mongodbUri: string, redisUrl: string, mongo: DocumentDb | undefined): Record<string, string> {
  const env = { MONGODB_URI: mongodbUri, REDIS_URL: redisUrl };
  return mongo === undefined ? env : { ...env, BATON_DEV_POSTGRES: mongo.postgres };
}
