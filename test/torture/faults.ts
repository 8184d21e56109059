import { Redis } from 'ioredis';
import type { Harness } from '../support/harness.ts';
import type { OwnServices } from '../support/own-services.ts';
import type { Random } from '../support/random.ts';
import type { Crew } from './crew.ts';
import { exhaustOne } from './take-up.ts';

/** Whom a fault may strike. */
export interface Victims {
  readonly harness: Harness;
  readonly services: OwnServices;
  readonly crew: Crew;
  readonly random: Random;
  readonly lockMs: number;
}

/** Something that happens to machines. Resolves when it is over. */
type Fault = (victims: Victims) => Promise<void>;

const anyone = ({ crew, random }: Victims): number => random.between(0, crew.size - 1);

export const FAULTS = {
  'a worker is killed': async (victims) => victims.crew.kill(anyone(victims)),
  'a worker is told to stop': async (victims) => victims.crew.replace(anyone(victims)),
  'a worker stands still past its locks': async (victims) =>
    victims.crew.freeze(anyone(victims), victims.lockMs * 2 + victims.random.between(0, 1_000)),
  'all workers are killed': async ({ crew }) => {
    await Promise.all(Array.from({ length: crew.size }, (_, at) => crew.kill(at)));
  },
  'Redis is killed': async ({ services, random }) => services.killRedis(random.between(0, 2_000)),
  'Redis stands still': async ({ services, random }) => services.stallRedis(random.between(500, 4_000)),
  'the database is killed': async ({ services, random }) => services.killDatabase(random.between(0, 2_000)),
  'the database stands still': async ({ services, random }) => services.stallDatabase(random.between(500, 6_000)),
  'the way to the database breaks': async ({ services }) => services.database.restartWireServer(),
  'Redis and a worker are killed': async (victims) => {
    await Promise.all([FAULTS['Redis is killed'](victims), FAULTS['a worker is killed'](victims)]);
  },
  'the database and a worker are killed': async (victims) => {
    await Promise.all([FAULTS['the database is killed'](victims), FAULTS['a worker is killed'](victims)]);
  },
  'Redis is emptied': async ({ services }) => emptyRedis(services.redisUrl),
  'Redis is emptied and all workers are killed': async (victims) => {
    await Promise.all([FAULTS['Redis is emptied'](victims), FAULTS['all workers are killed'](victims)]);
  },
  'an operation is given up': async ({ harness, random }) => exhaustOne(harness, random),
} as const satisfies Record<string, Fault>;

export type FaultName = keyof typeof FAULTS;

export const EVERY_FAULT = Object.keys(FAULTS) as FaultName[];

export async function emptyRedis(redisUrl: string): Promise<void> {
  const redis = new Redis(redisUrl);
  await redis.flushall();
  redis.disconnect();
}
