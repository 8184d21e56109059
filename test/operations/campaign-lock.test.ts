import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Harness, many } from '../support/harness.ts';
import { callsOf } from '../support/intercepted-stores.ts';
import { oneSlice, runToEnd } from '../support/run-operation.ts';
import type { AnyRequest } from '../support/any-request.ts';

let harness: Harness;
beforeAll(async () => {
  harness = await Harness.open();
});
afterAll(() => harness.close());

const to = { texterIds: ['t2'] as [string] };

interface Running {
  readonly campaignId: string;
  /** The operation that has the campaign lock. It does not move the conversations of t1. */
  readonly first: AnyRequest;
  readonly ended: string;
  readonly chosen: string;
}

/** A campaign on which one operation has ended and another one runs. */
async function runningOperation(): Promise<Running> {
  const campaignId = await harness.seedCampaign(2);
  await harness.seedConversations(campaignId, many(12));
  const [chosen = ''] = await harness.seedConversations(campaignId, [{ assigneeId: 't1' }, { assigneeId: 't1' }]);
  const all = { kind: 'reassign', campaignId, from: 'pool', to, status: 'any' } as const;
  const ended = { ...all, operationId: harness.newId('op'), count: 1 };
  await runToEnd(harness.context.stores, ended);
  const first = { ...all, operationId: harness.newId('op') };
  expect((await oneSlice(harness.context.stores, first)).kind).toBe('unfinished');
  return { campaignId, first, ended: ended.operationId, chosen };
}

const listOf = (conversationId: string) => [{ conversationId }];
const fromT1 = { from: { texterIds: ['t1'] as [string] }, status: 'any' } as const;

type Later = (running: Running) => AnyRequest;
const id = ({ campaignId }: Running) => ({ campaignId, operationId: harness.newId('op') });

const BULK: Readonly<Record<string, Later>> = {
  reassign: (running) => ({ kind: 'reassign', ...id(running), ...fromT1, to }),
  unassign: (running) => ({ kind: 'unassign', ...id(running), ...fromT1, confirm: 2 }),
  'reassign-list': (running) => ({
    kind: 'reassign-list',
    ...id(running),
    conversations: listOf(running.chosen),
    to,
  }),
  'unassign-list': (running) => ({ kind: 'unassign-list', ...id(running), conversations: listOf(running.chosen) }),
  undo: (running) => ({ kind: 'undo', ...id(running), undoes: running.ended }),
};
const SINGLE: Readonly<Record<string, Later>> = {
  'reassign-one': (running) => ({ kind: 'reassign-one', ...id(running), conversationId: running.chosen, to }),
  'unassign-one': (running) => ({ kind: 'unassign-one', ...id(running), conversationId: running.chosen }),
};

describe('while another bulk operation of the campaign runs,', () => {
  it.each(Object.entries(BULK))('an operation of the kind %s waits until that one has ended', async (_kind, later) => {
    const { stores } = harness.context;
    const running = await runningOperation();
    const request = later(running);
    expect((await oneSlice(stores, request)).kind).toBe('waiting');
    await runToEnd(stores, running.first);
    expect(await runToEnd(stores, request)).toMatchObject({ state: 'done' });
  });

  it('a new operation of everyone waits without counting', async () => {
    const { campaignId } = await runningOperation();
    const level = { from: 'everyone', to: 'everyone', status: 'any', spread: 'level' } as const;
    const requests: AnyRequest[] = [
      { kind: 'reassign', operationId: harness.newId('op'), campaignId, ...level },
      { kind: 'unassign', operationId: harness.newId('op'), campaignId, from: 'everyone', status: 'any', confirm: 9 },
    ];
    for (const request of requests) {
      const calls = await callsOf(harness.context.stores, async (watched) => {
        expect((await oneSlice(watched, request)).kind).toBe('waiting');
      });
      expect(calls.filter((name) => name.startsWith('conversations.'))).toEqual([]);
    }
  });

  it.each([
    ['a reassign', { kind: 'reassign', from: { texterIds: ['t9'] }, to, status: 'any' }],
    ['an unassign', { kind: 'unassign', from: { texterIds: ['t9'] }, status: 'any', confirm: 9 }],
  ] as const)('%s from an unknown texter is refused at once', async (_name, asked) => {
    const { campaignId } = await runningOperation();
    const request: AnyRequest = { operationId: harness.newId('op'), campaignId, ...asked };
    const { kind, operation } = await oneSlice(harness.context.stores, request);
    expect({ kind, code: operation.error?.code }).toEqual({ kind: 'ended', code: 'unknown-texter' });
  });

  it.each(Object.entries(SINGLE))(
    'an operation of the kind %s moves its conversation at once',
    async (_kind, later) => {
      const request = later(await runningOperation());
      expect(await oneSlice(harness.context.stores, request)).toMatchObject({
        kind: 'ended',
        operation: { receipt: { moved: 1 } },
      });
    },
  );
});
