import { Types } from 'mongoose';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { WriteConflict } from '../../src/domain/errors.ts';
import type { UnappliedBatch } from '../../src/operations/batch.ts';
import type { Stores } from '../../src/operations/ports.ts';
import { conflictCounts } from '../../src/mongo/transaction.ts';
import { Harness } from '../support/harness.ts';
import { runToEnd } from '../support/run-operation.ts';

const CONVERSATIONS = 4_000;
const BATCH_MAX = 2_000;
/** Every second transaction meets a write, as long as there are writes left. */
const OUTSIDE_WRITES = 40;
/** On average, one write may make this many conversations be written again once the size follows the conflicts. */
const REPEATED_PER_WRITE_MAX = 60;
const TIMEOUT_MS = 120_000;

describe('the writes of other programs', { timeout: TIMEOUT_MS }, () => {
  let harness: Harness;
  beforeAll(async () => {
    harness = await Harness.open();
  });
  afterAll(() => harness.close());

  /** Calls `work` while another program has written a conversation in a transaction that is still open. */
  async function whileWritten<Result>(_id: Types.ObjectId, work: () => Promise<Result>): Promise<Result> {
    const { client, conversations } = harness.context.database;
    return client.withSession(async (session) => {
      session.startTransaction();
      await conversations.updateOne({ _id }, { $set: { lastInboundAt: new Date() } }, { session });
      try {
        return await work();
      } finally {
        await session.commitTransaction();
      }
    });
  }

  /** Lets every second transaction of a batch meet a write to its first conversation. */
  function besideWrites(): { stores: Stores; repeated: number[]; writes: () => number } {
    const { stores } = harness.context;
    const repeated: number[] = [];
    let [calls, writes] = [0, 0];
    const apply: Stores['batches']['apply'] = async (batch, request, options) => {
      calls += 1;
      const unapplied = unappliedIds(batch);
      if (calls % 2 === 0 || writes === OUTSIDE_WRITES || unapplied.length === 0)
        return stores.batches.apply(batch, request, options);
      writes += 1;
      try {
        return await whileWritten(new Types.ObjectId(unapplied[0]), () =>
          stores.batches.apply(batch, request, options),
        );
      } catch (error) {
        if (error instanceof WriteConflict) repeated.push(Math.min(options.sizeMax, unapplied.length));
        throw error;
      }
    };
    const batches = new Proxy(stores.batches, {
      get: (target, name) => (name === 'apply' ? apply : (Reflect.get(target, name) as () => unknown).bind(target)),
    });
    return { stores: { ...stores, batches }, repeated, writes: () => writes };
  }

  it('make an operation repeat a small part of its writes, because its transactions shrink at once', async () => {
    const campaignId = await harness.seedCampaign(4);
    const pool = Array.from({ length: CONVERSATIONS }, (_, at) => ({ waitedMs: (CONVERSATIONS - at) * 10 }));
    await harness.seedConversations(campaignId, pool);
    const { stores, repeated, writes } = besideWrites();
    const before = conflictCounts().batch;
    const request = { kind: 'reassign', operationId: harness.newId('op'), campaignId, from: 'pool' } as const;
    const all = { ...request, to: 'everyone', status: 'any' } as const;
    const ended = await runToEnd(stores, all, { batchConversationsMax: BATCH_MAX, short: false });
    expect(ended?.receipt).toMatchObject({ moved: CONVERSATIONS, selected: CONVERSATIONS, skipped: [] });
    expect(writes()).toBe(OUTSIDE_WRITES);
    expect(conflictCounts().batch - before).toBe(OUTSIDE_WRITES);
    expect(repeated).toHaveLength(OUTSIDE_WRITES);
    const total = repeated.reduce((sum, count) => sum + count, 0);
    expect(total).toBeLessThanOrEqual(2 * BATCH_MAX + OUTSIDE_WRITES * REPEATED_PER_WRITE_MAX);
  });
});

function unappliedIds({ moves, progress }: UnappliedBatch): readonly string[] {
  return moves.flatMap(({ conversationIds }) => conversationIds).slice(progress?.appliedCount ?? 0);
}
