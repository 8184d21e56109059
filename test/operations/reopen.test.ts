import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { failWith } from '../../src/operations/ending.ts';
import { Overtaken, type Stores } from '../../src/operations/ports.ts';
import { isEnded } from '../../src/domain/operation.ts';
import { Harness, type Seeded } from '../support/harness.ts';
import { callsOf, cutAfter, meanwhileAt, PowerCut } from '../support/interposed.ts';
import { toTheEnd } from '../support/perform.ts';
import { rawOperation } from '../support/raw.ts';
import type { AnyRequest } from '../support/send.ts';
import { traces } from '../support/traces.ts';

const AT_ONCE = 6;
/** Where many tests run at once, each takes its time. */
const TIMEOUT_MS = 180_000;
const ALL = { from: 'everyone', status: 'any' } as const;

/** Of 12: half in the pool, half t1's; one in four opted out. */
const SEEDED: readonly Seeded[] = Array.from({ length: 12 }, (_, at) => ({
  waitedMs: at * 1_000,
  assigneeId: at % 2 === 0 ? null : 't1',
  optedOut: at % 4 === 0,
}));

describe.each(['reassign', 'undo'] as const)('a given-up %s', { timeout: TIMEOUT_MS }, (kind) => {
  let harness: Harness;
  let undisturbed: unknown;
  let steps: number[];

  beforeAll(async () => {
    harness = await Harness.open();
    const request = await newRequest();
    const calls = await callsOf(harness.context.stores, (stores) => toTheEnd(stores, request));
    steps = calls.flatMap((name, index) => (name === 'conversations.readPage' ? [] : [index + 1]));
    undisturbed = await traces(harness, request);
  });
  afterAll(() => harness.close());

  async function newRequest(): Promise<AnyRequest> {
    const campaignId = await harness.seedCampaign(3);
    await harness.seedConversations(campaignId, SEEDED);
    const asked = { campaignId, operationId: harness.newId('op') };
    const deal = { kind: 'reassign', ...asked, ...ALL, to: { texterIds: ['t2', 't3'] } } as const;
    if (kind === 'reassign') return deal;
    await toTheEnd(harness.context.stores, deal, { short: false });
    return { kind: 'undo', campaignId, operationId: harness.newId('op'), undoes: deal.operationId };
  }

  /** As a worker does it whose last attempt has failed; nothing, where nobody has begun with it or it has ended. */
  async function recordFailure({ operationId }: AnyRequest, stores: Stores = harness.context.stores): Promise<void> {
    const operation = await stores.operations.find(operationId);
    const clock = { now: () => new Date() };
    if (operation) await failWith({ stores, clock }, operation, new Error('given up'));
  }

  async function retry({ operationId }: AnyRequest): Promise<boolean> {
    return (await harness.context.failures.reopen(operationId)) !== undefined;
  }

  /** As its job does it, attempt after attempt. */
  async function carryOn(request: AnyRequest, stores: Stores = harness.context.stores): Promise<void> {
    await toTheEnd(stores, request).catch((error: unknown) => {
      if (!(error instanceof Overtaken || error instanceof PowerCut)) throw error;
    });
    const { state } = await rawOperation(harness, request.operationId);
    if (!isEnded(state)) await carryOn(request);
  }

  async function atEachStep(check: (step: number) => Promise<void>): Promise<void> {
    expect(steps.length).toBeGreaterThan(5);
    for (let at = 0; at < steps.length; at += AT_ONCE) await Promise.all(steps.slice(at, at + AT_ONCE).map(check));
  }

  it('at any of its steps goes on where it stopped, and ends as if nothing had happened', async () => {
    let retried = 0;
    await atEachStep(async (step) => {
      const request = await newRequest();
      await expect(toTheEnd(cutAfter(harness.context.stores, step), request)).rejects.toThrow(PowerCut);
      await recordFailure(request);
      if (await retry(request)) retried += 1;
      await carryOn(request);
      expect(await traces(harness, request), `step ${step}`).toEqual(undisturbed);
    });
    expect(retried).toBeGreaterThan(steps.length / 2);
  });

  it('by somebody who dies at any step of giving up does so too', async () => {
    const middle = steps[Math.floor(steps.length / 2)] ?? 0;
    for (const died of [1, 2, 3, 4, 5]) {
      const request = await newRequest();
      await expect(toTheEnd(cutAfter(harness.context.stores, middle), request)).rejects.toThrow(PowerCut);
      await recordFailure(request, cutAfter(harness.context.stores, died)).catch((error: unknown) => {
        if (!(error instanceof PowerCut)) throw error;
      });
      await carryOn(request);
      await retry(request);
      await carryOn(request);
      expect(await traces(harness, request), `died at ${died}`).toEqual(undisturbed);
    }
  });

  it('and retried at any step of one that still runs it comes to the same', async () => {
    await atEachStep(async (step) => {
      const request = await newRequest();
      const old = meanwhileAt(harness.context.stores, step, async () => {
        await recordFailure(request);
        await retry(request);
      });
      await carryOn(request, old);
      expect(await traces(harness, request), `step ${step}`).toEqual(undisturbed);
    });
  });

  it('and retried and carried out by others at any step of one that still runs it comes to the same', async () => {
    await atEachStep(async (step) => {
      const request = await newRequest();
      const old = meanwhileAt(harness.context.stores, step, async () => {
        await recordFailure(request);
        if (await retry(request)) await carryOn(request);
      });
      await carryOn(request, old);
      expect(await traces(harness, request), `step ${step}`).toEqual(undisturbed);
    });
  });
});
