import { Redis } from 'ioredis';
import { failWith } from '../../src/operations/ending.ts';
import type { Harness } from '../support/harness.ts';
import type { OwnServices } from '../support/own-services.ts';
import type { Random } from '../support/random.ts';
import type { WorkerGroup } from './worker-group.ts';

/** What a fault may break. */
export interface FaultTargets {
  readonly harness: Harness;
  readonly services: OwnServices;
  readonly workers: WorkerGroup;
  readonly random: Random;
  readonly lockMs: number;
}

/** Resolves when the fault is over. */
type Fault = (targets: FaultTargets) => Promise<void>;

const anyWorker = ({ workers, random }: FaultTargets): number => random.between(0, workers.size - 1);

export const FAULTS = {
  'a worker is killed': async (targets) => targets.workers.kill(anyWorker(targets)),
  'a worker is stopped with SIGTERM': async (targets) => targets.workers.replace(anyWorker(targets)),
  'a worker freezes beyond its locks': async (targets) =>
    targets.workers.freeze(anyWorker(targets), targets.lockMs * 2 + targets.random.between(0, 1_000)),
  'all workers are killed': async ({ workers }) => {
    await Promise.all(Array.from({ length: workers.size }, (_, at) => workers.kill(at)));
  },
  'Redis is killed': async ({ services, random }) => services.killRedis(random.between(0, 2_000)),
  'Redis freezes': async ({ services, random }) => services.stallRedis(random.between(500, 4_000)),
  'the database is killed': async ({ services, random }) => services.killDatabase(random.between(0, 2_000)),
  'the database freezes': async ({ services, random }) => services.stallDatabase(random.between(500, 6_000)),
  'all database connections break': async ({ services }) => services.database.restartWireServer(),
  'Redis and a worker are killed': async (targets) => {
    await Promise.all([FAULTS['Redis is killed'](targets), FAULTS['a worker is killed'](targets)]);
  },
  'the database and a worker are killed': async (targets) => {
    await Promise.all([FAULTS['the database is killed'](targets), FAULTS['a worker is killed'](targets)]);
  },
  'Redis loses all data': async ({ services }) => emptyRedis(services.redisUrl),
  'Redis loses all data, workers are killed': async (targets) => {
    await Promise.all([FAULTS['Redis loses all data'](targets), FAULTS['all workers are killed'](targets)]);
  },
  'an operation fails': async ({ harness, random }) => failAnOperation(harness, random),
} as const satisfies Record<string, Fault>;

export type FaultName = keyof typeof FAULTS;

export const EVERY_FAULT = Object.keys(FAULTS) as FaultName[];

export async function emptyRedis(redisUrl: string): Promise<void> {
  const redis = new Redis(redisUrl);
  await redis.flushall();
  redis.disconnect();
}

/** Records a running operation as failed, as a worker does after the last attempt, while another worker may still run it. */
async function failAnOperation({ context }: Harness, random: Random): Promise<void> {
  const { database, stores } = context;
  try {
    const running = await database.operations.find({ state: 'running', campaignLock: { $exists: true } }).toArray();
    if (running.length === 0) return;
    const operation = await stores.operations.find(random.pick(running)._id);
    if (operation) await failWith(context, operation, new Error('failed by the torture test'));
  } catch {
    // The database may still be starting. A half-recorded failure is one more case that workers must handle.
  }
}
