import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { OTHER_PROGRAMS } from '../pairs/support/other-programs.ts';
import { NO_FAULTS, runPair } from '../pairs/support/pair.ts';
import { titleOf } from '../pairs/support/test-pairs.ts';
import { WRITERS } from '../pairs/support/writers.ts';
import { Harness } from '../support/harness.ts';
import { WorkerGroup } from '../torture/worker-group.ts';

const CONVERSATIONS = 2_000;
const WORKERS = 3;
const WORKER_ENV = {
  BATON_BATCH_CONVERSATIONS_MAX: '100',
  BATON_SLICE_MS: '300',
  BATON_LOCK_MS: '3000',
  BATON_STALLED_CHECK_MS: '500',
  BATON_RECONCILE_EVERY_MS: '1000',
};
const KILL_EVERY_MS = 1_500;
/** A job of a killed worker continues within some seconds, and its next worker may be killed too. */
const WAIT_MS_MAX = 45_000;
const TIMEOUT_MS = 180_000;

/** Operations, claims and imports, each beside claims and beside other programs. */
const WRITING = WRITERS.filter(({ repeats, name }) => !repeats || name.startsWith('claims'));
const BESIDE = [...WRITERS.filter(({ name }) => name === 'claims'), ...OTHER_PROGRAMS];
const PAIRS = WRITING.flatMap((writer) => BESIDE.map((other) => [writer, other] as const));

describe('two writers on one campaign while workers are killed:', { timeout: TIMEOUT_MS }, () => {
  let harness: Harness;
  let workers: WorkerGroup;
  let isOver = false;
  let killing: Promise<void>;

  beforeAll(async () => {
    harness = await Harness.open();
    workers = new WorkerGroup(harness, WORKER_ENV);
    await workers.start(WORKERS);
    killing = killInTurn();
  });
  afterAll(async () => {
    isOver = true;
    await killing;
    await workers.killAll();
    await harness.close();
  });

  async function killInTurn(): Promise<void> {
    for (let kills = 0; !isOver; kills += 1) {
      await sleep(KILL_EVERY_MS);
      await workers.kill(kills % WORKERS);
    }
  }

  for (const [index, pair] of PAIRS.entries()) {
    it(titleOf(pair), async () => {
      const options = { conversations: CONVERSATIONS, randomSeed: index + 1, waitMsMax: WAIT_MS_MAX };
      expect(await runPair(harness, pair, options)).toEqual(NO_FAULTS);
    });
  }
});
