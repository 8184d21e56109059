import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Harness } from '../support/harness.ts';
import { OTHER_PROGRAMS } from './support/other-programs.ts';
import { NO_FAULTS, runPair } from './support/pair.ts';
import { WRITERS } from './support/writers.ts';

const CONVERSATIONS = Number(process.env['PAIR_SIZE'] ?? 2_000);
/** Small batches and slices, so that an operation has several of both. */
const WORKER = { batchConversationsMax: Number(process.env['PAIR_BATCH'] ?? 100), sliceMs: 200, stalledCheckMs: 1_000 };
/** Generous, because several pairs write at the same time and other test files run beside them. */
const WAIT_MS_MAX = 10_000;
const TIMEOUT_MS = 120_000;

/** Each writer beside itself and every later one, and beside each other program. */
const PAIRS = WRITERS.flatMap((writer, index) =>
  [...WRITERS.slice(index), ...OTHER_PROGRAMS].map((other) => ({
    title: `${writer.name} and ${other.name}`,
    pair: [writer, other] as const,
  })),
);

describe('two writers on one campaign both end, and everything adds up:', { timeout: TIMEOUT_MS }, () => {
  let harness: Harness;
  beforeAll(async () => {
    harness = await Harness.open(WORKER);
    await Promise.all([harness.startWorker(), harness.startWorker()]);
  });
  afterAll(() => harness.close());

  for (const [index, { title, pair }] of PAIRS.entries()) {
    it.concurrent(title, async () => {
      const options = { conversations: CONVERSATIONS, randomSeed: index + Number(process.env['PAIR_SEED'] ?? 1), waitMsMax: WAIT_MS_MAX };
      expect(await runPair(harness, pair, options)).toEqual(NO_FAULTS);
    });
  }
});
