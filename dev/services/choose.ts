import { readFileSync } from 'node:fs';
import { isDockerUsable } from './docker.ts';
import { SERVICES_HELP } from './messages.ts';
import { hasRedisBinary } from './redis.ts';

export interface Machine {
  /** `MONGODB_URI` and `REDIS_URL` of the environment. `undefined` when unset or empty. */
  readonly mongodbUri: string | undefined;
  readonly redisUrl: string | undefined;
  /** A Docker engine answers and has Compose. */
  readonly docker: boolean;
  readonly debian: boolean;
  readonly root: boolean;
  readonly redisBinary: boolean;
}

type Source = 'environment' | 'docker' | 'private';

export type Choice =
  | { readonly possible: true; readonly mongo: Source; readonly redis: Source }
  | { readonly possible: false; readonly message: string };

/** Prefers servers that the environment names, then Docker, then private servers. */
export function chooseServices(machine: Machine): Choice {
  const mongo = chooseSource(machine.mongodbUri, machine.docker, machine.debian && machine.root);
  const redis = chooseSource(machine.redisUrl, machine.docker, machine.redisBinary || machine.debian);
  if (mongo !== undefined && redis !== undefined) return { possible: true, mongo, redis };
  const missing = [mongo === undefined ? ['MongoDB'] : [], redis === undefined ? ['Redis'] : []].flat().join(' and ');
  const message = `this command needs MongoDB and Redis, but this machine cannot provide ${missing}. ${SERVICES_HELP}`;
  return { possible: false, message };
}

function chooseSource(address: string | undefined, docker: boolean, canBePrivate: boolean): Source | undefined {
  if (address !== undefined) return 'environment';
  if (docker) return 'docker';
  return canBePrivate ? 'private' : undefined;
}

/** Checks for Docker only when an address is missing: an engine that hangs takes seconds to fail. */
export function inspectMachine(env: NodeJS.ProcessEnv): Machine {
  const mongodbUri = nonEmpty(env['MONGODB_URI']);
  const redisUrl = nonEmpty(env['REDIS_URL']);
  const needsServers = mongodbUri === undefined || redisUrl === undefined;
  return {
    mongodbUri,
    redisUrl,
    docker: needsServers && isDockerUsable(),
    debian: isDebian(),
    root: process.getuid?.() === 0,
    redisBinary: redisUrl === undefined && hasRedisBinary(),
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
