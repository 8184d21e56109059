import { join } from 'node:path';
import { execaSync } from 'execa';
import { registerCleanup } from './cleanup.ts';
import { freePort, LOOPBACK } from './managed-server.ts';
import { runTool } from './processes.ts';

export type ComposeService = 'mongo' | 'redis';

export interface DockerServices {
  readonly mongodbUri: string;
  readonly redisUrl: string;
  stop(): Promise<void>;
}

const ANSWER_TIMEOUT_MS = 4_000;
const HEALTHY_TIMEOUT_S = 120;
const STOP_TIMEOUT_S = 5;
const COMPOSE_FILE = new URL('../../docker-compose.yml', import.meta.url).pathname;

/** Asks the engine, because a client is often installed without one. The time-out is for an engine that hangs. */
export function isDockerUsable(): boolean {
  const queries = [
    ['info', '--format', '{{.ServerVersion}}'],
    ['compose', 'version'],
  ];
  const options = { timeout: ANSWER_TIMEOUT_MS, stdio: 'ignore', reject: false } as const;
  return queries.every((args) => !execaSync('docker', args, options).failed);
}

export interface ComposePorts {
  readonly mongo: number;
  readonly redis: number;
}

/** Uses a Compose project of its own, so that a `docker compose up` by hand does not conflict with it. */
export function composeCommands(
  project: string,
  services: readonly ComposeService[],
  ports: ComposePorts,
  keptIn?: string,
): { readonly up: readonly string[]; readonly down: readonly string[] } {
  const env = ['env', `BATON_MONGO_PORT=${ports.mongo}`, `BATON_REDIS_PORT=${ports.redis}`, ...dataFolders(keptIn)];
  const compose = [...env, 'docker', 'compose', '--project-name', project, '--file', COMPOSE_FILE];
  const limits = ['--wait', '--wait-timeout', String(HEALTHY_TIMEOUT_S)];
  return {
    up: [...compose, 'up', '--detach', '--quiet-pull', ...limits, ...services],
    down: [...compose, 'down', '--volumes', '--timeout', String(STOP_TIMEOUT_S)],
  };
}

/** A path instead of the name of a volume, which `down` does not remove. */
function dataFolders(keptIn: string | undefined): readonly string[] {
  if (keptIn === undefined) return [];
  return [`BATON_MONGO_DATA=${join(keptIn, 'docker-mongo')}`, `BATON_REDIS_DATA=${join(keptIn, 'docker-redis')}`];
}

export async function startContainers(services: readonly ComposeService[], keptIn?: string): Promise<DockerServices> {
  const ports = { mongo: await freePort(), redis: await freePort() };
  const { up, down } = composeCommands(`baton-dev-${process.pid}`, services, ports, keptIn);
  registerCleanup({ command: down });
  const stop = async (): Promise<void> => {
    await runTool(down);
  };
  try {
    await runTool(up);
  } catch (error) {
    await stop().catch(() => undefined);
    throw error;
  }
  return {
    // Direct connection: the host name that the replica set announces exists only inside the container network.
    mongodbUri: `mongodb://${LOOPBACK}:${ports.mongo}/?directConnection=true`,
    redisUrl: `redis://${LOOPBACK}:${ports.redis}`,
    stop,
  };
}
