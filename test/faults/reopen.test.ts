import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { failWith } from '../../src/operations/ending.ts';
import { Overtaken, type Stores } from '../../src/operations/ports.ts';
import { resolvePlan } from '../../src/operations/kinds.ts';
import { isEnded } from '../../src/domain/operation.ts';
import type { BulkRequest } from '../../src/operations/contract.ts';
import { cancelWithoutQueue, oneSlice, record, runToEnd } from '../support/run-operation.ts';
import { Harness, type Seeded } from '../support/harness.ts';
import { callsOf, dieAfter, runBeforeCall, ProcessDied } from '../support/intercepted-stores.ts';
import { outcomeOf, rawOperation } from '../support/raw.ts';
import type { AnyRequest } from '../support/any-request.ts';

const AT_ONCE = 6;
/** Generous, because many tests run at the same time. */
const TIMEOUT_MS = 180_000;
const CONVERSATIONS = 20;
const ALL = { from: 'everyone', status: 'any' } as const;

/** 12 conversations: half in the pool and half assigned to t1; one in four opted out. */
const SEEDED: readonly Seeded[] = Array.from({ length: 12 }, (_, at) => ({
  waitedMs: at * 1_000,
  assigneeId: at % 2 === 0 ? null : 't1',
  optedOut: at % 4 === 0,
}));

describe.each(['reassign', 'undo'] as const)('a %s that used up its attempts', { timeout: TIMEOUT_MS }, (kind) => {
  let harness: Harness;
  let undisturbed: unknown;
  let steps: number[];

  beforeAll(async () => {
    harness = await Harness.open();
    const request = await newRequest();
    const calls = await callsOf(harness.context.stores, (stores) => runToEnd(stores, request));
    steps = calls.flatMap((name, index) => (name.startsWith('conversations.readPage') ? [] : [index + 1]));
    undisturbed = await outcomeOf(harness, request);
  });
  afterAll(() => harness.close());

  async function newRequest(): Promise<AnyRequest> {
    const campaignId = await harness.seedCampaign(3);
    await harness.seedConversations(campaignId, SEEDED);
    const asked = { campaignId, operationId: harness.newId('op') };
    const deal = { kind: 'reassign', ...asked, ...ALL, to: { texterIds: ['t2', 't3'] } } as const;
    if (kind === 'reassign') return deal;
    await runToEnd(harness.context.stores, deal, { short: false });
    return { kind: 'undo', campaignId, operationId: harness.newId('op'), undoes: deal.operationId };
  }

  /** Does what a worker does after the last failed attempt. */
  async function onAttemptsExhausted(
    { operationId }: AnyRequest,
    stores: Stores = harness.context.stores,
  ): Promise<void> {
    const operation = await stores.operations.find(operationId);
    const clock = { now: () => new Date() };
    if (operation) await failWith({ stores, clock }, operation, new Error('no attempts left'));
  }

  async function retry({ operationId }: AnyRequest): Promise<boolean> {
    return (await harness.context.failures.reopen(operationId)) !== undefined;
  }

  /** Runs the operation again until it ends, as its job does. */
  async function runAgain(request: AnyRequest, stores: Stores = harness.context.stores): Promise<void> {
    await runToEnd(stores, request).catch((error: unknown) => {
      if (!(error instanceof Overtaken || error instanceof ProcessDied)) throw error;
    });
    const { state } = await rawOperation(harness, request.operationId);
    if (!isEnded(state)) await runAgain(request);
  }

  async function atEachStep(check: (step: number) => Promise<void>): Promise<void> {
    expect(steps.length).toBeGreaterThan(5);
    for (let at = 0; at < steps.length; at += AT_ONCE) await Promise.all(steps.slice(at, at + AT_ONCE).map(check));
  }

  it('continues where it stopped after a retry, and ends as if nothing had failed', async () => {
    let retried = 0;
    await atEachStep(async (step) => {
      const request = await newRequest();
      await expect(runToEnd(dieAfter(harness.context.stores, step), request)).rejects.toThrow(ProcessDied);
      await onAttemptsExhausted(request);
      if (await retry(request)) retried += 1;
      await runAgain(request);
      expect(await outcomeOf(harness, request), `step ${step}`).toEqual(undisturbed);
    });
    expect(retried).toBeGreaterThan(steps.length / 2);
  });

  it('continues where it stopped when the worker dies while it records the failure', async () => {
    const middle = steps[Math.floor(steps.length / 2)] ?? 0;
    for (const died of [1, 2, 3, 4, 5]) {
      const request = await newRequest();
      await expect(runToEnd(dieAfter(harness.context.stores, middle), request)).rejects.toThrow(ProcessDied);
      await onAttemptsExhausted(request, dieAfter(harness.context.stores, died)).catch((error: unknown) => {
        if (!(error instanceof ProcessDied)) throw error;
      });
      await runAgain(request);
      await retry(request);
      await runAgain(request);
      expect(await outcomeOf(harness, request), `died at ${died}`).toEqual(undisturbed);
    }
  });

  it('has the same result when it is retried before any step of a worker that still runs it', async () => {
    await atEachStep(async (step) => {
      const request = await newRequest();
      const old = runBeforeCall(harness.context.stores, step, async () => {
        await onAttemptsExhausted(request);
        await retry(request);
      });
      await runAgain(request, old);
      expect(await outcomeOf(harness, request), `step ${step}`).toEqual(undisturbed);
    });
  });

  it('has the same result when other workers retry and finish it before any step of a worker that still runs it', async () => {
    await atEachStep(async (step) => {
      const request = await newRequest();
      const old = runBeforeCall(harness.context.stores, step, async () => {
        await onAttemptsExhausted(request);
        if (await retry(request)) await runAgain(request);
      });
      await runAgain(request, old);
      expect(await outcomeOf(harness, request), `step ${step}`).toEqual(undisturbed);
    });
  });
});

describe('an operation that was reopened', () => {
  let harness: Harness;
  beforeAll(async () => {
    harness = await Harness.open();
  });
  afterAll(() => harness.close());

  async function campaign(): Promise<string> {
    const campaignId = await harness.seedCampaign(2);
    await harness.seedConversations(
      campaignId,
      Array.from({ length: CONVERSATIONS }, () => ({})),
    );
    return campaignId;
  }

  const toOne = (campaignId: string, texterId: string, count: number): BulkRequest => ({
    ...{ kind: 'reassign', operationId: harness.newId('op'), campaignId, from: 'pool', to: { texterIds: [texterId] } },
    ...{ status: 'any', count, spread: 'even' },
  });

  it('waits for the campaign lock with the plan it has, although its target was paused', async () => {
    const { stores, failures } = harness.context;
    const campaignId = await campaign();
    const halted = toOne(campaignId, 't1', 8);
    const { startedAt } = (await oneSlice(stores, halted)).operation;
    await harness.pause(campaignId, 't1');
    expect(await runToEnd(stores, halted)).toMatchObject({ state: 'failed', error: { code: 'targets-lost' } });
    const ahead = toOne(campaignId, 't2', 8);
    await oneSlice(stores, ahead);
    await failures.reopen(halted.operationId);
    expect(await oneSlice(stores, halted)).toMatchObject({ kind: 'waiting', operation: { state: 'accepted' } });
    await runToEnd(stores, ahead);
    await harness.pause(campaignId, 't1', true);
    expect(await runToEnd(stores, halted)).toMatchObject({
      ...{ state: 'done', error: null, receipt: { moved: 8 }, startedAt },
    });
  });

  it('makes a cancel that was under way fail with a transient error, and the next cancel succeeds', async () => {
    const { stores, failures, clock } = harness.context;
    const request = toOne(await campaign(), 't1', 8);
    const { operation } = await oneSlice(stores, request);
    await failWith({ stores, clock }, operation, new Error('no attempts left'));
    const raced = runBeforeCall(stores, 2, async () => void (await failures.reopen(request.operationId)));
    await expect(cancelWithoutQueue(raced, request)).rejects.not.toHaveProperty('code');
    expect(await cancelWithoutQueue(stores, request)).toMatchObject({ state: 'cancelled' });
    expect(await rawOperation(harness, request.operationId)).toMatchObject({ state: 'cancelled', reopened: 1 });
  });

  it('is not started by a worker of its earlier run, ahead of the operations that were accepted since', async () => {
    const { stores, failures, clock } = harness.context;
    const campaignId = await campaign();
    const request = toOne(campaignId, 't1', 8);
    const earlier = await record(stores, request);
    await failWith({ stores, clock }, earlier, new Error('no attempts left'));
    const ahead = toOne(campaignId, 't2', 8);
    await record(stores, ahead);
    await failures.reopen(request.operationId);
    const start = { takesLock: true, plan: await resolvePlan(stores, earlier.request), startedAt: clock.now() };
    expect(await stores.operations.start(earlier, start)).toBeUndefined();
    expect(await rawOperation(harness, request.operationId)).toMatchObject({ state: 'accepted', reopened: 1 });
    expect(await stores.operations.nextOperation(campaignId)).toMatchObject({ operationId: ahead.operationId });
    await runToEnd(stores, ahead);
    expect(await runToEnd(stores, request)).toMatchObject({ state: 'done', receipt: { moved: 8 } });
  });
});
