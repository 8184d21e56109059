import { join } from 'node:path';
import type { Machine, MongoSource, RedisSource } from './choose.ts';
import { startContainers, type DockerServices } from './docker.ts';
import { startDocumentDb } from './documentdb.ts';
import { checkMongo, checkRedis } from './environment-services.ts';
import { errorMessage, log } from './messages.ts';
import { downloadedMongod } from './mongod-download.ts';
import { startMongod } from './mongod.ts';
import { startRedis } from './redis.ts';

export interface Services {
  readonly mongodbUri: string;
  readonly redisUrl: string;
  /** The environment variables from which a command finds the services. */
  readonly env: Readonly<Record<string, string>>;
  /** False when the environment named both servers. */
  readonly wereStarted: boolean;
  stop(): Promise<void>;
}

export interface Chosen {
  readonly machine: Machine;
  readonly mongo: MongoSource;
  readonly redis: RedisSource;
  readonly keptIn: string | undefined;
}

/** A server that did not start, although the machine seemed to have it. */
export class DidNotStart extends Error {
  override readonly name = 'DidNotStart';
  readonly service: 'mongo' | 'redis';
  readonly source: MongoSource | RedisSource;

  constructor(service: 'mongo' | 'redis', source: MongoSource | RedisSource, cause: unknown) {
    super(errorMessage(cause), { cause });
    this.service = service;
    this.source = source;
  }
}

interface Started {
  readonly uri: string;
  /** Further variables for commands that need the server itself. */
  readonly env?: Readonly<Record<string, string>>;
}

/** Servers that run already, and what must be done to stop them, the last one first. */
class Starting {
  readonly stops: (() => Promise<void>)[] = [];
  private containers: DockerServices | undefined;
  private readonly chosen: Chosen;

  constructor(chosen: Chosen) {
    this.chosen = chosen;
  }

  async stop(): Promise<void> {
    while (this.stops.length > 0) await this.stops.pop()?.();
  }

  async mongo(): Promise<Started> {
    const { machine, mongo } = this.chosen;
    switch (mongo) {
      case 'environment':
        await checkMongo(machine.mongodbUri ?? '');
        return { uri: machine.mongodbUri ?? '' };
      case 'docker':
        return { uri: (await this.startContainers()).mongodbUri };
      case 'mongod':
        return this.startMongod('mongod');
      case 'download':
        return this.startMongod(await downloadedMongod());
      case 'private':
        return this.startDocumentDb();
    }
  }

  async redis(): Promise<Started> {
    const { machine, redis } = this.chosen;
    switch (redis) {
      case 'environment':
        await checkRedis(machine.redisUrl ?? '');
        return { uri: machine.redisUrl ?? '' };
      case 'docker':
        return { uri: (await this.startContainers()).redisUrl };
      case 'installed':
      case 'private':
        return this.startRedis();
    }
  }

  private kept(name: string): string | undefined {
    return this.chosen.keptIn && join(this.chosen.keptIn, name);
  }

  /** One command starts the containers of both services. */
  private async startContainers(): Promise<DockerServices> {
    if (this.containers !== undefined) return this.containers;
    const services = (['mongo', 'redis'] as const).filter((service) => this.chosen[service] === 'docker');
    log(`starting containers (docker compose: ${services.join(', ')})…`);
    const containers = await startContainers(services, this.chosen.keptIn);
    this.stops.push(() => containers.stop());
    this.containers = containers;
    return containers;
  }

  private async startMongod(program: string): Promise<Started> {
    const mongod = await startMongod(program, this.kept('mongod'));
    this.stops.push(() => mongod.stop());
    return { uri: mongod.uri };
  }

  /** `BATON_DEV_POSTGRES` is for benchmarks and tests that need PostgreSQL itself. */
  private async startDocumentDb(): Promise<Started> {
    const server = await startDocumentDb(this.kept('documentdb'));
    this.stops.push(() => server.stop());
    return { uri: server.uri, env: { BATON_DEV_POSTGRES: server.postgres } };
  }

  private async startRedis(): Promise<Started> {
    const dir = this.kept('redis');
    const redis = await startRedis(dir === undefined ? {} : { dir });
    this.stops.push(() => redis.stop());
    return { uri: redis.url };
  }
}

/** Throws `DidNotStart` when another server may take the place of one that did not start. */
export async function startChosen(chosen: Chosen): Promise<Services> {
  const starting = new Starting(chosen);
  try {
    const redis = await starting.redis().catch((error: unknown) => {
      throw replaceable('redis', chosen.redis, error);
    });
    const mongo = await starting.mongo().catch((error: unknown) => {
      throw replaceable('mongo', chosen.mongo, error);
    });
    return {
      mongodbUri: mongo.uri,
      redisUrl: redis.uri,
      env: { MONGODB_URI: mongo.uri, REDIS_URL: redis.uri, ...mongo.env },
      wereStarted: starting.stops.length > 0,
      stop: () => starting.stop(),
    };
  } catch (error) {
    await starting.stop();
    throw error;
  }
}

/** Nothing takes the place of a named server, and the private ones are the last choice. */
function replaceable(service: 'mongo' | 'redis', source: MongoSource | RedisSource, error: unknown): unknown {
  const isLast = source === 'environment' || source === 'private';
  return isLast ? error : new DidNotStart(service, source, error);
}
