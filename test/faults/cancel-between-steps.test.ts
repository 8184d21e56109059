import { serveClaims } from '../../src/claims/index.ts';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Overtaken } from '../../src/operations/ports.ts';
import { Refusal } from '../../src/domain/errors.ts';
import type { Operation } from '../../src/operations/operation.ts';
import { cancelWithoutQueue, oneSlice, runToEnd } from '../support/run-operation.ts';
import { Harness, type Seeded } from '../support/harness.ts';
import { callsOf, dieAfter, runBeforeCall, ProcessDied } from '../support/intercepted-stores.ts';
import { everyConversation, idsOf, rawBatches, rawConversations, rawOperation } from '../support/raw.ts';
import type { AnyRequest } from '../support/any-request.ts';

const AT_ONCE = 4;
/** Generous, because many tests run at the same time. */
const TIMEOUT_MS = 180_000;
const ALL = { from: 'everyone', status: 'any' } as const;

/** 20 conversations: of each status two in the pool, one of them opted out, and two assigned to t1. */
const SEEDED: readonly Seeded[] = (
  ['needs-reply', 'not-started', 'in-progress', 'awaiting-contact', 'closed'] as const
).flatMap((status, at) => [
  { status, waitedMs: at * 1_000 },
  { status, waitedMs: at * 1_000, optedOut: true },
  { status, assigneeId: 't1', waitedMs: 9_000 },
  { status, assigneeId: 't1', waitedMs: 9_000 },
]);

type Asked = AnyRequest extends infer Input
  ? Input extends AnyRequest
    ? Omit<Input, 'operationId' | 'campaignId'>
    : never
  : never;

describe('cancelling an operation', { timeout: TIMEOUT_MS }, () => {
  let harness: Harness;
  beforeAll(async () => {
    harness = await Harness.open();
  });
  afterAll(() => harness.close());

  const newRequest = async (asked: Asked): Promise<AnyRequest> => {
    const campaignId = await harness.seedCampaign(3);
    await harness.seedConversations(campaignId, SEEDED);
    return { ...asked, campaignId, operationId: harness.newId('op') };
  };

  /** Returns the state after the attempt to cancel: cancelled, or done before. */
  async function cancelOrEnded(request: AnyRequest, stores = harness.context.stores): Promise<Operation['state']> {
    try {
      return (await cancelWithoutQueue(stores, request)).state;
    } catch (error) {
      // No worker had accepted the operation.
      if (error instanceof Refusal && error.code === 'unknown-operation') return 'accepted';
      if (error instanceof Refusal && error.code === 'operation-ended') return 'done';
      throw error;
    }
  }

  /**
   * Expects the batches, the receipt and the conversations to agree. `all` is the number that the operation selects when
   * it is not cancelled.
   */
  async function expectAccounted(request: AnyRequest, what: string, all?: number): Promise<void> {
    const { operationId, campaignId } = request;
    const { state, receipt } = await rawOperation(harness, operationId);
    const batches = await rawBatches(harness, operationId);
    const applied = batches.filter((batch) => batch.state === 'applied');
    const moved = idsOf(applied.flatMap(({ moves }) => moves));
    const skipped = idsOf(applied.flatMap(({ skips }) => skips));
    expect(batches.at(-1)?.state, what).toBe('end-marker');
    expect(
      batches.filter((batch) => batch.state === 'planned'),
      what,
    ).toEqual([]);
    expect(receipt, what).toMatchObject({ moved: moved.length, selected: moved.length + skipped.length });
    const docs = await rawConversations(harness, campaignId);
    const touched = [...docs].filter(([, { lastOperationId }]) => lastOperationId === operationId);
    expect(touched.map(([id]) => id).sort(), what).toEqual(moved.sort());
    if (state !== 'cancelled' || all === undefined) return;
    expect((receipt?.left ?? 0) + (receipt?.selected ?? 0), what).toBe(all);
  }

  const NAMED: Record<string, Asked> = {
    'a reassign of all from everyone to everyone': { kind: 'reassign', ...ALL, to: 'everyone' },
    'a reassign of a count': { kind: 'reassign', ...ALL, to: { texterIds: ['t2', 't3'] }, count: 9 },
  };

  it.each(Object.entries(NAMED))(
    'ends %s before any of its steps, and nothing moves afterwards',
    async (_name, asked) => {
      let undisturbed: Operation | undefined;
      const calls = await callsOf(harness.context.stores, async (stores) => {
        undisturbed = await runToEnd(stores, await newRequest(asked));
      });
      const all = 'count' in asked ? undefined : undisturbed?.receipt?.selected;
      const states = new Set<string>();
      await atEach(calls, async (step) => {
        const request = await newRequest(asked);
        const { stores } = harness.context;
        let after = '';
        const cancelled = runBeforeCall(stores, step, async () => {
          states.add(await cancelOrEnded(request));
          after = await everyConversation(harness);
        });
        await runToEnd(cancelled, request);
        const { state } = await rawOperation(harness, request.operationId);
        if (state === 'cancelled') expect(await ofCampaign(request), `step ${step}`).toEqual(within(after, request));
        await expectAccounted(request, `step ${step}`, all);
        expect(await cancelOrEnded(request)).toBe(state);
      });
      expect(states).toContain('cancelled');
    },
  );

  it('has the same result when the canceller dies after any of its steps and another worker continues', async () => {
    const begun = async (): Promise<AnyRequest> => {
      const request = await newRequest(NAMED['a reassign of a count']!);
      await oneSlice(harness.context.stores, request);
      return request;
    };
    const example = await begun();
    const calls = await callsOf(harness.context.stores, (stores) => cancelWithoutQueue(stores, example));
    const { receipt } = await rawOperation(harness, example.operationId);
    expect(receipt).toMatchObject({ shortBecause: 'stopped', asked: 9, left: 9 - (receipt?.moved ?? 0) });
    await atEach(calls, async (step) => {
      for (const carryOn of [cancelOrEnded, (request: AnyRequest) => runToEnd(harness.context.stores, request)]) {
        const request = await begun();
        const cut = cancelWithoutQueue(dieAfter(harness.context.stores, step), request);
        await expect(cut, `step ${step}`).rejects.toThrow(ProcessDied);
        await carryOn(request);
        const ended = await rawOperation(harness, request.operationId);
        // Without a recorded cancellation, the worker that continues completes the operation.
        if (ended.cancellation) expect(ended.state, `step ${step}`).toBe('cancelled');
        else expect(ended.state, `step ${step}`).toBe('done');
        await expectAccounted(request, `step ${step}`);
      }
    });
  });

  it.each([2, 4])(
    'takes effect when the canceller dies after %i of its own steps, at any step of the operation',
    async (cut) => {
      const asked = NAMED['a reassign of a count']!;
      const calls = await callsOf(harness.context.stores, async (stores) => runToEnd(stores, await newRequest(asked)));
      await atEach(calls, async (step) => {
        const request = await newRequest(asked);
        const { stores } = harness.context;
        const half = runBeforeCall(stores, step, async () => {
          await cancelWithoutQueue(dieAfter(stores, cut), request).catch((error: unknown) => {
            if (!(error instanceof ProcessDied || error instanceof Refusal)) throw error;
          });
        });
        await runToEnd(half, request);
        const { state, cancellation } = await rawOperation(harness, request.operationId);
        expect(state, `step ${step}`).toBe(cancellation ? 'cancelled' : 'done');
        await expectAccounted(request, `step ${step}`);
      });
    },
  );

  it('returns the same answer to three simultaneous requests', async () => {
    const request = await newRequest(NAMED['a reassign of a count']!);
    await oneSlice(harness.context.stores, request);
    const all = await Promise.all([0, 1, 2].map(() => cancelWithoutQueue(harness.context.stores, request)));
    for (const each of all) expect(each).toEqual(all[0]);
  });

  it('stops an undo between two batches, and undoing that undo moves its conversations again', async () => {
    const dealt = await newRequest({ kind: 'reassign', ...ALL, to: { texterIds: ['t2', 't3'] } });
    const { campaignId } = dealt;
    await runToEnd(harness.context.stores, dealt);
    const atFirst = await harness.loads(campaignId);
    const undo = { kind: 'undo', campaignId, operationId: harness.newId('op'), undoes: dealt.operationId } as const;
    await oneSlice(harness.context.stores, undo);
    const { receipt } = await cancelWithoutQueue(harness.context.stores, undo);
    expect(receipt?.moved).toBeGreaterThan(0);
    expect((receipt?.selected ?? 0) + (receipt?.left ?? 0)).toBe(15);
    const redo = { kind: 'undo', campaignId, operationId: harness.newId('op'), undoes: undo.operationId } as const;
    const redone = await runToEnd(harness.context.stores, redo);
    expect(redone?.receipt).toMatchObject({ moved: receipt?.moved, skipped: [] });
    expect(await harness.loads(campaignId)).toEqual(atFirst);
  });

  it('ends a waiting claim with the conversations it has', async () => {
    const campaignId = await harness.seedCampaign(1, { selfAssign: { enabled: true } });
    await harness.seedConversations(campaignId, [{}, {}]);
    const operationId = harness.newId('cl');
    const request = { kind: 'self-assign', operationId, campaignId, texterId: 't1', count: 5, waitMs: 60_000 } as const;
    const { stores } = harness.context;
    await serveClaims(stores.claims, campaignId, [{ request, requestHash: 'h', sendId: 's' }]);
    const first = await cancelWithoutQueue(stores, request);
    expect(first).toMatchObject({ state: 'cancelled', receipt: { moved: 2, shortBecause: 'stopped', left: 0 } });
    expect(await cancelWithoutQueue(stores, request)).toEqual(first);
    expect(await harness.isWaiting(operationId)).toBe(false);
  });

  it('is refused when the operation does not exist, belongs to another campaign, or has ended', async () => {
    const request = await newRequest(NAMED['a reassign of a count']!);
    const { stores } = harness.context;
    await expect(cancelWithoutQueue(stores, request)).rejects.toMatchObject({ code: 'unknown-operation' });
    await oneSlice(stores, request);
    const elsewhere = { ...request, campaignId: await harness.seedCampaign(1) };
    await expect(cancelWithoutQueue(stores, elsewhere)).rejects.toMatchObject({ code: 'unknown-operation' });
    await runToEnd(stores, request);
    await expect(cancelWithoutQueue(stores, request)).rejects.toMatchObject({ code: 'operation-ended' });
  });

  async function ofCampaign({ campaignId }: AnyRequest): Promise<unknown> {
    return within(await everyConversation(harness), { campaignId });
  }

  function within(conversations: string, { campaignId }: { campaignId: string }): unknown {
    const docs = JSON.parse(conversations) as { campaignId: string }[];
    return docs.filter((doc) => doc.campaignId === campaignId);
  }

  /** Tries each step on a campaign of its own, a few at a time. */
  async function atEach(calls: readonly string[], check: (step: number) => Promise<void>): Promise<void> {
    const steps = calls.flatMap((name, index) => (name.startsWith('conversations.readPage') ? [] : [index + 1]));
    expect(steps.length).toBeGreaterThan(5);
    for (let at = 0; at < steps.length; at += AT_ONCE) {
      await Promise.all(
        steps.slice(at, at + AT_ONCE).map((step) =>
          check(step).catch((error: unknown) => {
            if (error instanceof Overtaken) throw new Error(`step ${step}: ${error.message}`, { cause: error });
            throw error;
          }),
        ),
      );
    }
  }
});
