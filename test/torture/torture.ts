import { setTimeout as sleep } from 'node:timers/promises';
import { audit, type AuditReport } from '../support/audit/audit.ts';
import { Harness } from '../support/harness.ts';
import { OwnServices } from '../support/own-services.ts';
import { Random } from '../support/random.ts';
import { FAULTS, type FaultName, type FaultTargets } from './faults.ts';
import { Load, type LoadSize } from './load.ts';
import { StatusChanges } from './status-changes.ts';
import { WorkerGroup } from './worker-group.ts';

export interface TortureOptions {
  readonly seed: number;
  /** Faults are injected for this long, and until there were at least `faultsMin`. */
  readonly minutes: number;
  readonly faultsMin: number;
  readonly workers: number;
  readonly size: LoadSize;
  readonly faults: readonly FaultName[];
  readonly log: (line: string) => void;
}

export interface TortureReport extends AuditReport {
  readonly seed: number;
  readonly seconds: number;
  readonly sent: number;
  readonly answered: number;
  readonly sentAgain: number;
  readonly retried: number;
  /** How many times another program changed the status of a conversation. */
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
  // Patient senders do not repeat a request that Redis has lost, so a reconcile pass must find it soon.
  BATON_RECONCILE_EVERY_MS: '1000',
};
/** The time between two faults, long enough for some work. */
const PAUSE_MS = { least: 200, most: 3_000 };
/** How long everything may take to end after the last fault. */
const END_WITHIN_MS = 150_000;

/** Injects faults while requests are sent, waits until all are answered, and audits the database and the answers. */
export async function torture(options: TortureOptions): Promise<TortureReport> {
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

async function tortureOn(options: TortureOptions, services: OwnServices, harness: Harness): Promise<TortureReport> {
  const { seed, size, log } = options;
  const startedAt = performance.now();
  const random = new Random(seed);
  const load = await Load.seed(harness, random, size);
  const statusChanges = new StatusChanges(harness, new Random(seed), load.campaigns);
  const workers = new WorkerGroup(harness, WORKER_ENV);
  try {
    await workers.start(options.workers);
    load.start();
    statusChanges.start();
    const faults = await injectFaults(options, { harness, services, workers, random, lockMs: LOCK_MS }, load);
    log('The faults are over. Waiting for everything to end.');
    await load.stop(END_WITHIN_MS);
    await statusChanges.stop();
    const report = await audit(harness, load.campaigns, load.sent);
    const seconds = (performance.now() - startedAt) / 1_000;
    const { answered, sentAgain, retried, refusals } = load;
    return {
      ...report,
      seed,
      seconds,
      sent: load.sent.length,
      answered,
      sentAgain,
      retried,
      statusChanges: statusChanges.count,
      faults,
      refusals,
      exitCodes: workers.exitCodes,
    };
  } finally {
    await statusChanges.stop();
    await workers.killAll();
  }
}

async function injectFaults(
  { minutes, faultsMin, faults, log }: TortureOptions,
  targets: FaultTargets,
  load: Load,
): Promise<Partial<Record<FaultName, number>>> {
  const { random } = targets;
  const injected: Partial<Record<FaultName, number>> = {};
  let remaining: FaultName[] = [];
  const endsAt = performance.now() + minutes * 60_000;
  for (let count = 0; count < faultsMin || performance.now() < endsAt; count += 1) {
    await sleep(random.between(PAUSE_MS.least, PAUSE_MS.most));
    // No fault is repeated before all others were injected, each time in another order.
    if (remaining.length === 0) remaining = random.some(faults, faults.length);
    const name = remaining.pop() ?? random.pick(faults);
    log(`${name} (${load.sent.length} sent, ${load.answered} answered, ${load.sentAgain} sent again)`);
    await FAULTS[name](targets);
    injected[name] = (injected[name] ?? 0) + 1;
  }
  return injected;
}
