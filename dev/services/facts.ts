import { readFileSync } from 'node:fs';
import type { Facts } from './choose.ts';
import { isDockerUsable } from './docker.ts';
import { hasRedisBinary } from './redis.ts';

/** Looks around. Docker is asked only when something is not given, since a hanging engine takes seconds to say no. */
export function gatherFacts(env: NodeJS.ProcessEnv): Facts {
  const mongodbUri = nonEmpty(env['MONGODB_URI']);
  const redisUrl = nonEmpty(env['REDIS_URL']);
  const isAllGiven = mongodbUri !== undefined && redisUrl !== undefined;
  return {
    mongodbUri,
    redisUrl,
    docker: !isAllGiven && isDockerUsable(),
    debian: isDebian(),
    root: process.getuid?.() === 0,
    redisBinary: redisUrl === undefined && hasRedisBinary(),
  };
}

function nonEmpty(value: string | undefined): string | undefined {
  return value === '' ? undefined : value;
}

/** Debian itself: its derivatives have other releases behind their mirrors. */
function isDebian(): boolean {
  try {
    return /^ID=debian$/m.test(readFileSync('/etc/os-release', 'utf8'));
  } catch {
    return false;
  }
}
