import { spawnSync } from 'node:child_process';
import { freePort, LOOPBACK } from './ports.ts';
import { runTool } from './unpacked/run-tool.ts';
import { tellUndo } from './undo.ts';

export type ComposeService = 'mongo' | 'redis';

export interface DockerServices {
  readonly mongodbUri: string;
  readonly redisUrl: string;
  stop(): Promise<void>;
}

const ANSWER_WITHIN_MS = 4_000;
const HEALTHY_WITHIN_S = 120;
const STOP_WITHIN_S = 5;
const COMPOSE_FILE = new URL('../../docker-compose.yml', import.meta.url).pathname;

/** A client without an engine is common (and may hang on a dead socket), and so is an engine without compose. */
export function isDockerUsable(): boolean {
  const asks = [
    ['info', '--format', '{{.ServerVersion}}'],
    ['compose', 'version'],
  ];
  return asks.every((args) => spawnSync('docker', args, { timeout: ANSWER_WITHIN_MS, stdio: 'ignore' }).status === 0);
}

export interface ComposePorts {
  readonly mongo: number;
  readonly redis: number;
}

/** A project of our own: neither its containers nor its volumes or ports meet those of `docker compose up` by hand. */
export function composeCommands(
  project: string,
  services: readonly ComposeService[],
  ports: ComposePorts,
): { readonly up: readonly string[]; readonly down: readonly string[] } {
  const env = ['env', `BATON_MONGO_PORT=${ports.mongo}`, `BATON_REDIS_PORT=${ports.redis}`];
  const compose = [...env, 'docker', 'compose', '--project-name', project, '--file', COMPOSE_FILE];
  const limits = ['--wait', '--wait-timeout', String(HEALTHY_WITHIN_S)];
  return {
    up: [...compose, 'up', '--detach', '--quiet-pull', ...limits, ...services],
    down: [...compose, 'down', '--volumes', '--timeout', String(STOP_WITHIN_S)],
  };
}

export async function startContainers(services: readonly ComposeService[]): Promise<DockerServices> {
  const ports = { mongo: await freePort(), redis: await freePort() };
  const { up, down } = composeCommands(`baton-dev-${process.pid}`, services, ports);
  tellUndo({ command: down });
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
    // Direct: inside the replica set the server goes by a name that means nothing on this side of the port.
    mongodbUri: `mongodb://${LOOPBACK}:${ports.mongo}/?directConnection=true`,
    redisUrl: `redis://${LOOPBACK}:${ports.redis}`,
    stop,
  };
}
