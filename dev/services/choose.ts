/** Decides which MongoDB and which Redis a command uses. The facts come from machine.ts. */
import { SERVICES_HELP } from './messages.ts';

/** In the order in which they are preferred. `download` is a real `mongod` that Baton downloads, `private` is DocumentDB. */
export type MongoSource = 'environment' | 'docker' | 'mongod' | 'download' | 'private';
export type RedisSource = 'environment' | 'docker' | 'installed' | 'private';

/** What is wrong with a source: it did not start, or it cannot read the data of `--keep`. */
export type Excluded<Source extends string> = Readonly<Partial<Record<Source, string>>>;

export interface Machine {
  /** `MONGODB_URI` and `REDIS_URL` of the environment. `undefined` when unset or empty. */
  readonly mongodbUri: string | undefined;
  readonly redisUrl: string | undefined;
  /** A Docker engine answers and has Compose. */
  readonly docker: boolean;
  /** The version of the `mongod` on the PATH, such as `8.0.4`. `null`: it does not say its version. `undefined`: there is none. */
  readonly mongodVersion: string | undefined | null;
  readonly redisServer: boolean;
  /** Why MongoDB is not to be downloaded now. `undefined`: it may be. */
  readonly downloadProblem: string | undefined;
  readonly debian: boolean;
  readonly root: boolean;
  readonly excludedMongo: Excluded<MongoSource>;
  readonly excludedRedis: Excluded<RedisSource>;
}

export interface Choice<Source> {
  /** `undefined`: the machine has none. */
  readonly source: Source | undefined;
  /** Why each source that is preferred to this one is not used. */
  readonly because: readonly string[];
}

/** Older versions lack features that Baton's tests use, and some start with other arguments. */
export const MONGOD_VERSION_MIN = 7;

type Problem = (machine: Machine) => string | undefined;
type Options<Source extends string> = readonly (readonly [Source, Problem])[];

const unless = (isPossible: boolean, problem: string): string | undefined => (isPossible ? undefined : problem);

const DOCKER: Problem = ({ docker }) => unless(docker, 'Docker does not run');
const PRIVATE: Problem = ({ debian, root }) =>
  unless(debian && root, 'the servers that Baton unpacks need root on Debian');

const MONGO: Options<MongoSource> = [
  ['environment', ({ mongodbUri }) => unless(mongodbUri !== undefined, 'MONGODB_URI is not set')],
  ['docker', DOCKER],
  ['mongod', ({ mongodVersion }) => problemOfMongod(mongodVersion)],
  ['download', ({ downloadProblem }) => downloadProblem],
  ['private', PRIVATE],
];

const REDIS: Options<RedisSource> = [
  ['environment', ({ redisUrl }) => unless(redisUrl !== undefined, 'REDIS_URL is not set')],
  ['docker', DOCKER],
  ['installed', ({ redisServer }) => unless(redisServer, 'no redis-server that works is on the PATH')],
  ['private', PRIVATE],
];

export function chooseMongo(machine: Machine): Choice<MongoSource> {
  return choose(MONGO, machine, machine.excludedMongo);
}

export function chooseRedis(machine: Machine): Choice<RedisSource> {
  return choose(REDIS, machine, machine.excludedRedis);
}

function choose<Source extends string>(
  options: Options<Source>,
  machine: Machine,
  excluded: Excluded<Source>,
): Choice<Source> {
  const because: string[] = [];
  for (const [source, problemOf] of options) {
    const problem = excluded[source] ?? problemOf(machine);
    if (problem === undefined) return { source, because };
    because.push(problem);
  }
  return { source: undefined, because };
}

function problemOfMongod(version: Machine['mongodVersion']): string | undefined {
  if (version === undefined) return 'no mongod is on the PATH';
  if (version === null) return 'the mongod on the PATH does not answer `mongod --version`';
  const isOld = Number.parseInt(version, 10) < MONGOD_VERSION_MIN;
  return unless(!isOld, `the mongod on the PATH is ${version}, and Baton needs ${MONGOD_VERSION_MIN}.0 or newer`);
}

const MONGO_NAMES: Readonly<Record<MongoSource, string>> = {
  environment: 'the server that MONGODB_URI names',
  docker: 'a container',
  mongod: 'the mongod on the PATH',
  download: 'a mongod that Baton downloads, if it can',
  private: 'the compatible DocumentDB on PostgreSQL, which Baton unpacks',
};

const REDIS_NAMES: Readonly<Record<RedisSource, string>> = {
  environment: 'the server that REDIS_URL names',
  docker: 'a container',
  installed: 'the redis-server on the PATH',
  private: 'a redis-server that Baton unpacks',
};

/** Lines for a person: a short one with the server that is used, and why not one that Baton would prefer. */
export function mongoLines({ source, because }: Choice<MongoSource>): readonly string[] {
  return linesOf('MongoDB', source && MONGO_NAMES[source], because);
}

export function redisLines({ source, because }: Choice<RedisSource>): readonly string[] {
  return linesOf('Redis', source && REDIS_NAMES[source], because);
}

function linesOf(service: string, name: string | undefined, because: readonly string[]): readonly string[] {
  const reasons = because.length === 0 ? [] : [`  not used: ${because.join('; ')}`];
  return [`${service}: ${name ?? 'none'}`, ...reasons];
}

/** The message when this machine cannot provide one of the services. */
export function missingServices(mongo: Choice<MongoSource>, redis: Choice<RedisSource>): string {
  const lines = [
    ...(mongo.source === undefined ? [`cannot start MongoDB: ${mongo.because.join('; ')}`] : []),
    ...(redis.source === undefined ? [`cannot start Redis: ${redis.because.join('; ')}`] : []),
  ];
  return [...lines, SERVICES_HELP].join('\n');
}
