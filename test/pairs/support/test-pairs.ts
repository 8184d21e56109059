import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Harness } from '../../support/harness.ts';
import { NO_FAULTS, runPair } from './pair.ts';
import type { Writer } from './writers.ts';

const CONVERSATIONS = 2_000;
/** Small batches and slices, so that an operation has several of both. */
const WORKER = { batchConversationsMax: 100, sliceMs: 200, stalledCheckMs: 1_000 };
/** Generous, because other test files run at the same time. On a quiet machine, no request waits for two seconds. */
const WAIT_MS_MAX = 15_000;
const TIMEOUT_MS = 120_000;

/** Tests each pair on a campaign of its own, with two workers. */
export function testPairs(pairs: readonly (readonly [Writer, Writer])[]): void {
  describe('two writers on one campaign both end, and everything adds up:', { timeout: TIMEOUT_MS }, () => {
    let harness: Harness;
    beforeAll(async () => {
      harness = await Harness.open(WORKER);
      await Promise.all([harness.startWorker(), harness.startWorker()]);
    });
    afterAll(() => harness.close());

    for (const [index, pair] of pairs.entries()) {
      it(titleOf(pair), async () => {
        const options = { conversations: CONVERSATIONS, randomSeed: index + 1, waitMsMax: WAIT_MS_MAX };
        expect(await runPair(harness, pair, options)).toEqual(NO_FAULTS);
      });
    }
  });
}

/** Each writer beside itself and every later one. */
export function pairsOf(writers: readonly Writer[]): (readonly [Writer, Writer])[] {
  return writers.flatMap((writer, index) => writers.slice(index).map((other) => [writer, other] as const));
}

export function titleOf(pair: readonly [Writer, Writer]): string {
  return pair.map(({ name }) => name).join(' and ');
}
