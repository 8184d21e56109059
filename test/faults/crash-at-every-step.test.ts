import { Types } from 'mongoose';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Overtaken } from '../../src/operations/ports.ts';
import { Harness, MIXED } from '../support/harness.ts';
import { callsOf, dieAfter, runBeforeCall, ProcessDied } from '../support/intercepted-stores.ts';
import { runToEnd } from '../support/run-operation.ts';
import type { AnyRequest, BulkInput } from '../support/any-request.ts';
import { outcomeOf } from '../support/raw.ts';

const AT_ONCE = 4;
/** Generous, because many tests run at the same time. */
const TIMEOUT_MS = 180_000;

type Asked = BulkInput extends infer Input
  ? Input extends BulkInput
    ? Omit<Input, 'operationId' | 'campaignId'>
    : never
  : never;

const ALL = { from: 'everyone', status: 'any' } as const;
/** `inParts`: each transaction applies a part of a batch. */
const NAMED: Record<string, (Asked | { readonly undoing: Asked }) & { readonly inParts?: true }> = {
  'reassigns all from everyone': { kind: 'reassign', ...ALL, to: 'everyone' },
  'reassigns a count': {
    kind: 'reassign',
    from: { texterIds: ['t1', 't2'] },
    to: { texterIds: ['t2', 't3'] },
    status: 'any',
    count: 5,
  },
  'levels the loads of everyone': { kind: 'reassign', ...ALL, to: 'everyone', spread: 'level' },
  'levels the loads from the pool': { kind: 'reassign', from: 'pool', to: 'everyone', status: 'any', spread: 'level' },
  'unassigns all with a confirmation': { kind: 'unassign', ...ALL, confirm: 8 },
  'is refused without a confirmation': { kind: 'unassign', ...ALL },
  'is refused because more conversations match than were confirmed': { kind: 'unassign', ...ALL, confirm: 7 },
  'reassigns all in parts of batches': { kind: 'reassign', ...ALL, to: { texterIds: ['t2', 't3'] }, inParts: true },
  'undoes another operation in parts of batches': {
    undoing: { kind: 'reassign', ...ALL, to: { texterIds: ['t2', 't3'] } },
    inParts: true,
  },
  'undoes another operation': { undoing: { kind: 'reassign', ...ALL, to: { texterIds: ['t2', 't3'] } } },
};

describe.each(Object.entries(NAMED))(
  'an operation that %s',
  { timeout: TIMEOUT_MS },
  (_name, { inParts, ...asked }) => {
    let harness: Harness;
    let undisturbed: unknown;
    let steps: number[];
    const settings = inParts ? { batchConversationsMax: 5, partMax: 2 } : {};

    const newRequest = async (): Promise<AnyRequest> => {
      const campaignId = await harness.seedCampaign(3);
      const ids = await harness.seedConversations(campaignId, MIXED);
      const request = { campaignId, operationId: harness.newId('op') };
      if (!('undoing' in asked)) return { ...asked, ...request };
      const undone = { ...asked.undoing, ...request };
      await runToEnd(harness.context.stores, undone);
      const touched = { _id: { $in: [0, 4].map((at) => new Types.ObjectId(ids[at])) } };
      await harness.context.database.conversations.updateMany(touched, {
        $set: { assigneeId: 't1', status: 'closed' },
      });
      return { kind: 'undo', campaignId, operationId: harness.newId('op'), undoes: undone.operationId };
    };

    beforeAll(async () => {
      harness = await Harness.open();
      const request = await newRequest();
      const calls = await callsOf(harness.context.stores, (stores) => runToEnd(stores, request, settings));
      // Reading a page changes nothing: a crash there is a crash before the next step.
      steps = calls.flatMap((name, index) => (name.startsWith('conversations.readPage') ? [] : [index + 1]));
      undisturbed = await outcomeOf(harness, request);
    });
    afterAll(() => harness.close());

    /** Tries each step on a campaign of its own, a few at a time. */
    async function atEachStep(check: (step: number) => Promise<void>): Promise<void> {
      expect(steps.length).toBeGreaterThan(5);
      for (let at = 0; at < steps.length; at += AT_ONCE) await Promise.all(steps.slice(at, at + AT_ONCE).map(check));
    }

    it('has the same result when its worker dies after any step and another one continues', async () => {
      await atEachStep(async (step) => {
        const request = await newRequest();
        const cut = runToEnd(dieAfter(harness.context.stores, step), request, settings);
        await expect(cut, `step ${step}`).rejects.toThrow(ProcessDied);
        await runToEnd(harness.context.stores, request, settings);
        expect(await outcomeOf(harness, request), `step ${step}`).toEqual(undisturbed);
      });
    });

    it('has the same result when another worker runs all of it before any step', async () => {
      await atEachStep(async (step) => {
        const request = await newRequest();
        const { stores } = harness.context;
        const overtaken = runBeforeCall(stores, step, async () => void (await runToEnd(stores, request, settings)));
        await runToEnd(overtaken, request, settings).catch((error: unknown) => {
          if (!(error instanceof Overtaken)) throw error;
        });
        expect(await outcomeOf(harness, request), `step ${step}`).toEqual(undisturbed);
      });
    });
  },
);
