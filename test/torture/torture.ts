import { setTimeout as sleep } from 'node:timers/promises';
import { audit, type Audited } from '../support/audit.ts';
import { Harness } from '../support/harness.ts';
import { OwnServices } from '../support/own-services.ts';
import { Random } from '../support/random.ts';
import { Crew } from './crew.ts';
import { FAULTS, type FaultName } from './faults.ts';
import { Load, type LoadSize } from './load.ts';
import { Texting } from './texting.ts';

export interface TortureOptions {
  readonly seed: number;
  /** So long, and until so many faults have struck. */
  readonly minutes: number;
  readonly strikes: number;
  readonly workers: number;
  readonly size: LoadSize;
  readonly faults: readonly FaultName[];
  readonly say: (line: string) => void;
}

export interface Tortured extends Audited {
  readonly seed: number;
  readonly seconds: number;
  readonly asked: number;
  readonly answered: number;
  readonly sentAgain: number;
  readonly retried: number;
  /** By texters at work meanwhile. */
  readonly statusChanges: number;
  readonly faults: Readonly<Partial<Record<FaultName, number>>>;
  readonly refusals: Readonly<Record<string, number>>;
  readonly exitCodes: readonly (number | null)[];
}

const LOCK_MS = 2_000;
const WORKER_ENV = {
  BATON_LOCK_MS: String(LOCK_MS),
  BATON_STALLED_CHECK_MS: '1000',
  BATON_SLICE_MS: '200',
  BATON_BATCH_CONVERSATIONS_MAX: '40',
  // What an emptied Redis has lost is not asked for again by everybody.
  BATON_RECONCILE_EVERY_MS: '1000',
};
/** Between one fault and the next: long enough for some work to get done, mostly. */
const QUIET_MS = { least: 200, most: 3_000 };
/** When all faults are over, everything ends within this. */
const END_WITHIN_MS = 150_000;

/** Mixed load, a fault every few seconds, then peace, and everything is held against what was asked. */
export async function torture(options: TortureOptions): Promise<Tortured> {
  const services = await OwnServices.start();
  try {
    const harness = await Harness.open({}, services);
    try {
      return await tortureOn(options, services, harness);
    } finally {
      await harness.close();
    }
  } finally {
    await services.stop();
  }
}

async function tortureOn(options: TortureOptions, services: OwnServices, harness: Harness): Promise<Tortured> {
  const { seed, size, workers, say } = options;
  const startedAt = performance.now();
  const random = new Random(seed);
  const load = await Load.seed(harness, random, size);
  const texting = new Texting(harness, new Random(seed), load.campaigns);
  const crew = new Crew(harness, WORKER_ENV);
  try {
    await crew.muster(workers);
    load.start();
    texting.start();
    const faults = await strike(options, { harness, services, crew, random, lockMs: LOCK_MS }, load);
    say('no more faults; waiting for everything to end');
    await load.stop(END_WITHIN_MS);
    await texting.stop();
    const audited = await audit(harness, load.campaigns, load.asked);
    const seconds = (performance.now() - startedAt) / 1_000;
    const { answered, sentAgain, retried, refusals } = load;
    return {
      ...audited,
      seed,
      seconds,
      asked: load.asked.length,
      answered,
      sentAgain,
      retried,
      statusChanges: texting.changes,
      faults,
      refusals,
      exitCodes: crew.exitCodes,
    };
  } finally {
    await texting.stop();
    await crew.end();
  }
}

async function strike(
  { minutes, strikes, faults, say }: TortureOptions,
  victims: Parameters<(typeof FAULTS)[FaultName]>[0],
  load: Load,
): Promise<Partial<Record<FaultName, number>>> {
  const { random } = victims;
  const struck: Partial<Record<FaultName, number>> = {};
  let deck: FaultName[] = [];
  const endsAt = performance.now() + minutes * 60_000;
  for (let strike = 0; strike < strikes || performance.now() < endsAt; strike += 1) {
    await sleep(random.between(QUIET_MS.least, QUIET_MS.most));
    // None twice before all had their turn, in ever new orders.
    if (deck.length === 0) deck = random.some(faults, faults.length);
    const name = deck.pop() ?? random.pick(faults);
    say(`${name} (asked ${load.asked.length}, answered ${load.answered}, sent again ${load.sentAgain})`);
    await FAULTS[name](victims);
    struck[name] = (struck[name] ?? 0) + 1;
  }
  return struck;
}
