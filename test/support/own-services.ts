import { setTimeout as sleep } from 'node:timers/promises';
import { hasRedisServer } from '../../dev/services/redis.ts';
import { startDocumentDb, startRedis } from '../../dev/services/services.ts';
import { isServerRootBuilt } from '../../dev/services/unpacked/cache.ts';
import { processTree } from '../dev/services/support/processes.ts';
import type { Addresses } from './harness.ts';

type Redis = Awaited<ReturnType<typeof startRedis>>;
type DocumentDb = Awaited<ReturnType<typeof startDocumentDb>>;

/** Tests never build the servers: where containers or given servers are used, there are no private servers to break. */
export const isOwnRedisPossible = process.platform === 'linux' && (hasRedisServer() || isServerRootBuilt());
export const isOwnDatabasePossible = process.platform === 'linux' && isServerRootBuilt() && process.getuid?.() === 0;
export const areOwnServicesPossible = isOwnRedisPossible && isOwnDatabasePossible;

/** A Redis and a database for one test, which may break them. Other tests share the servers of the environment. */
export class OwnServices implements Addresses {
  readonly redis: Redis;
  readonly database: DocumentDb;

  private constructor(redis: Redis, database: DocumentDb) {
    this.redis = redis;
    this.database = database;
  }

  static async start(): Promise<OwnServices> {
    const redis = await startRedis();
    try {
      return new OwnServices(redis, await startDocumentDb());
    } catch (error) {
      await redis.stop();
      throw error;
    }
  }

  get mongodbUri(): string {
    return this.database.uri;
  }

  get redisUrl(): string {
    return this.redis.url;
  }

  async killRedis(awayMs: number): Promise<void> {
    await this.redis.kill('SIGKILL');
    await sleep(awayMs);
    await this.redis.restart();
  }

  async killDatabase(awayMs: number): Promise<void> {
    await this.database.kill('SIGKILL');
    await sleep(awayMs);
    await this.database.restart();
  }

  /** Stops every process of the database for a while. Connections stay open, but the database does not answer. */
  async stallDatabase(stalledMs: number): Promise<void> {
    // Parents first: a stopped parent starts no further process.
    const family = processTree(this.database.pid);
    signalAll(family, 'SIGSTOP');
    await sleep(stalledMs);
    signalAll(family, 'SIGCONT');
  }

  async stallRedis(stalledMs: number): Promise<void> {
    await this.redis.kill('SIGSTOP');
    await sleep(stalledMs);
    await this.redis.kill('SIGCONT');
  }

  async stop(): Promise<void> {
    await this.redis.stop();
    await this.database.stop();
  }
}

function signalAll(pids: readonly number[], signal: NodeJS.Signals): void {
  for (const pid of pids) {
    try {
      process.kill(pid, signal);
    } catch (error) {
      // A helper process of the database may have ended by itself.
      if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error;
    }
  }
}
