import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Excluded, Machine, MongoSource, RedisSource } from './choose.ts';
import { isDockerUsable } from './docker.ts';
import { rememberedDownloadProblem } from './mongod-download.ts';
import { askVersion } from './processes.ts';
import { hasRedisServer } from './redis.ts';

/**
 * Finds out what this machine has. Checks for Docker only when an address is missing: an engine that hangs takes seconds to
 * fail. `keptIn` is the folder of `--keep`.
 */
export function inspectMachine(env: NodeJS.ProcessEnv, keptIn: string | undefined): Machine {
  const mongodbUri = nonEmpty(env['MONGODB_URI']);
  const redisUrl = nonEmpty(env['REDIS_URL']);
  const needsServers = mongodbUri === undefined || redisUrl === undefined;
  const debian = isDebian();
  const root = process.getuid?.() === 0;
  return {
    ...{ mongodbUri, redisUrl, debian, root },
    docker: needsServers && isDockerUsable(),
    mongodVersion: mongodbUri === undefined ? installedMongodVersion() : undefined,
    redisServer: redisUrl === undefined && hasRedisServer(),
    // Without another MongoDB, each start tries the download again.
    downloadProblem: debian && root ? rememberedDownloadProblem() : undefined,
    excludedMongo: excludedBy(KEPT_MONGO, ['docker', 'mongod', 'download', 'private'], keptIn),
    excludedRedis: excludedBy(KEPT_REDIS, ['docker', 'installed', 'private'], keptIn),
  };
}

function nonEmpty(value: string | undefined): string | undefined {
  return value === '' ? undefined : value;
}

/** True only on Debian itself: the mirrors of its derivatives have other releases. */
function isDebian(): boolean {
  try {
    return /^ID=debian$/m.test(readFileSync('/etc/os-release', 'utf8'));
  } catch {
    return false;
  }
}

/** Returns `undefined` when there is no `mongod`, and `null` when it does not say its version. */
export function installedMongodVersion(): string | undefined | null {
  const answer = askVersion('mongod');
  if (answer === 'missing') return undefined;
  return (answer !== 'broken' && /^db version v(\d+\.\d+\.\d+)/m.exec(answer.text)?.[1]) || null;
}

/** The folders in which the servers of `--keep` have their data, and the servers that can read them. */
const KEPT_MONGO: Readonly<Record<string, readonly MongoSource[]>> = {
  'docker-mongo': ['docker'],
  mongod: ['mongod', 'download'],
  documentdb: ['private'],
};
const KEPT_REDIS: Readonly<Record<string, readonly RedisSource[]>> = {
  'docker-redis': ['docker'],
  redis: ['installed', 'private'],
};

function excludedBy<Source extends string>(
  readers: Readonly<Record<string, readonly Source[]>>,
  sources: readonly Source[],
  keptIn: string | undefined,
): Excluded<Source> {
  const found = Object.keys(readers).find((name) => keptIn !== undefined && existsSync(join(keptIn, name)));
  if (keptIn === undefined || found === undefined) return {} as Excluded<Source>;
  const problem = `the data in ${join(keptIn, found)} are those of another server`;
  const excluded = sources.filter((source) => readers[found]?.includes(source) !== true);
  return Object.fromEntries(excluded.map((source) => [source, problem])) as Excluded<Source>;
}
