import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Refusal } from '../../src/domain/errors.ts';
import { parseRequest } from '../../src/operations/contract.ts';
import { preview } from '../../src/operations/index.ts';
import { Harness, many } from '../support/harness.ts';
import { callsOf } from '../support/intercepted-stores.ts';
import { runToEnd } from '../support/run-operation.ts';
import type { AnyRequest } from '../support/any-request.ts';

let harness: Harness;
beforeAll(async () => {
  harness = await Harness.open();
});
afterAll(() => harness.close());

/** The texter `gone` has conversations, but is not on the campaign. */
async function campaign(): Promise<string> {
  const campaignId = await harness.seedCampaign(2);
  await harness.seedConversations(campaignId, [
    ...many(3, {}),
    ...many(4, { assigneeId: 't1' }),
    ...many(5, { assigneeId: 'gone' }),
  ]);
  return campaignId;
}

async function run(request: AnyRequest): Promise<{ moved?: number | undefined; code?: string | undefined }> {
  const ended = await runToEnd(harness.context.stores, request);
  return { moved: ended?.receipt?.moved, code: ended?.error?.code };
}

describe('a texter who is not on the campaign any more', () => {
  const to = { texterIds: ['t2'] as const };
  const gone = { texterIds: ['gone'] as const };
  const status = 'any';
  const one = (campaignId: string) => ({ operationId: harness.newId('op'), campaignId });

  it('can be named as the source of a reassign and its preview', async () => {
    const campaignId = await campaign();
    const request = { kind: 'reassign', ...one(campaignId), from: gone, to, status } as const;
    expect(await preview(harness.context.stores, parseRequest(request))).toMatchObject({ moved: 5 });
    expect(await run(request)).toMatchObject({ moved: 5 });
    expect(await harness.loads(campaignId)).toEqual({ pool: 3, t1: 4, t2: 5 });
  });

  it('can be named as the source of an unassign', async () => {
    const campaignId = await campaign();
    expect(await run({ kind: 'unassign', ...one(campaignId), from: gone, status, confirm: 5 })).toMatchObject({
      moved: 5,
    });
    expect(await harness.loads(campaignId)).toEqual({ pool: 8, t1: 4 });
  });

  it('is one of everyone for a reassign and an unassign', async () => {
    const campaignId = await campaign();
    const request = { kind: 'unassign', ...one(campaignId), from: 'everyone', status, confirm: 9 } as const;
    expect(await run(request)).toMatchObject({ moved: 9 });
    const other = await campaign();
    expect(await run({ kind: 'reassign', ...one(other), from: 'everyone', to, status })).toMatchObject({ moved: 12 });
    expect(await harness.loads(other)).toEqual({ t2: 12 });
  });

  it('gives everything when everyone deals to everyone', async () => {
    const campaignId = await campaign();
    await run({ kind: 'reassign', ...one(campaignId), from: 'everyone', to: 'everyone', status });
    expect(await harness.loads(campaignId)).toEqual({ t1: 6, t2: 6 });
  });

  it('can be the expected assignee of one conversation', async () => {
    const campaignId = await campaign();
    const [conversationId = ''] = await harness.seedConversations(campaignId, [{ assigneeId: 'gone' }]);
    const request = {
      kind: 'reassign-one',
      ...one(campaignId),
      conversationId,
      expectedAssigneeId: 'gone',
      to,
    } as const;
    expect(await run(request)).toMatchObject({ moved: 1 });
  });

  it('is refused as a target, and without conversations also as a source, with unknown-texter', async () => {
    const campaignId = await campaign();
    const requests = [
      { kind: 'reassign', ...one(campaignId), from: 'pool', to: gone, status },
      { kind: 'reassign', ...one(campaignId), from: { texterIds: ['t1', 'ghost'] }, to, status },
      { kind: 'unassign', ...one(campaignId), from: { texterIds: ['ghost'] }, status, confirm: 9 },
    ] as const;
    for (const request of requests) expect((await run(request)).code).toBe('unknown-texter' satisfies Refusal['code']);
  });

  it('is looked for only by operations that can mean such a texter', async () => {
    const campaignId = await campaign();
    const looksUp = async (request: AnyRequest): Promise<boolean> => {
      const calls = await callsOf(harness.context.stores, (stores) => runToEnd(stores, request));
      return calls.includes('conversations.listAssignees');
    };
    const [conversationId = ''] = await harness.seedConversations(campaignId, [{}]);
    expect(await looksUp({ kind: 'reassign', ...one(campaignId), from: 'pool', to, status, count: 1 })).toBe(false);
    expect(await looksUp({ kind: 'reassign', ...one(campaignId), from: { texterIds: ['t1'] }, to, status })).toBe(
      false,
    );
    expect(await looksUp({ kind: 'reassign-one', ...one(campaignId), conversationId, to })).toBe(false);
    expect(await looksUp({ kind: 'reassign', ...one(campaignId), from: 'everyone', to, status })).toBe(true);
  });
});
