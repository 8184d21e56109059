import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { preview } from '../../src/operations/preview.ts';
import { requestHash } from '../../src/domain/requests.ts';
import { parseRequest } from '../../src/operations/contract.ts';
import type { Operation } from '../../src/operations/operation.ts';
import { Harness, type Seeded } from '../support/harness.ts';
import { oneSlice, record, runToEnd } from '../support/run-operation.ts';
import type { AnyRequest } from '../support/any-request.ts';

type Reassign = Extract<AnyRequest, { kind: 'reassign' }>;

let harness: Harness;
beforeAll(async () => {
  harness = await Harness.open();
});
afterAll(() => harness.close());

const pool = (count: number, more: Seeded = {}): Seeded[] =>
  Array.from({ length: count }, (_, at) => ({ waitedMs: (count - at) * 1_000, ...more }));

const requestOf = (campaignId: string, more: Partial<Reassign> = {}): Reassign => ({
  kind: 'reassign',
  operationId: harness.newId('op'),
  campaignId,
  from: 'pool',
  to: 'everyone',
  status: 'any',
  ...more,
});

const run = (request: AnyRequest): Promise<Operation | undefined> => runToEnd(harness.context.stores, request);

async function campaignWith(conversations: readonly Seeded[], selfAssign = {}): Promise<string> {
  const campaignId = await harness.seedCampaign(3, { selfAssign });
  await harness.seedConversations(campaignId, conversations);
  return campaignId;
}

describe('a named target that is paused', () => {
  const to = { texterIds: ['t1', 't2'] };

  it('before the operation is accepted refuses the operation', async () => {
    const campaignId = await campaignWith(pool(4));
    await harness.pause(campaignId, 't1');
    expect(await run(requestOf(campaignId, { to }))).toMatchObject({
      state: 'failed',
      error: { code: 'target-inactive' },
    });
    expect(await harness.loads(campaignId)).toEqual({ pool: 4 });
  });

  it('before the operation is accepted refuses it even if the worker dies right after', async () => {
    const campaignId = await campaignWith(pool(4));
    await harness.pause(campaignId, 't1');
    const request = requestOf(campaignId, { to });
    await record(harness.context.stores, request);
    await harness.pause(campaignId, 't1', true);
    expect(await run(request)).toMatchObject({ state: 'failed', error: { code: 'target-inactive' } });
  });

  it('or unknown before the operation is accepted refuses the operation', async () => {
    const campaignId = await campaignWith(pool(4));
    const ended = await run(requestOf(campaignId, { to: { texterIds: ['t1', 'nobody'] } }));
    expect(ended).toMatchObject({ state: 'failed', error: { code: 'unknown-texter' } });
  });

  it('while the operation waits is left out, and the receipt says so', async () => {
    const campaignId = await campaignWith(pool(6));
    const first = requestOf(campaignId, { count: 2, to: { texterIds: ['t3'] } });
    const second = requestOf(campaignId, { to });
    await record(harness.context.stores, first);
    expect((await oneSlice(harness.context.stores, second)).kind).toBe('waiting');
    await harness.pause(campaignId, 't1');
    expect((await oneSlice(harness.context.stores, second)).kind).toBe('waiting');
    await run(first);
    const receipt = { moved: 4, byTarget: [{ assigneeId: 't2', count: 4 }], pausedTargets: ['t1'] };
    expect(await run(second)).toMatchObject({ state: 'done', receipt });
  });

  it('refuses an operation that waited when no other target is left', async () => {
    const campaignId = await campaignWith(pool(6));
    const request = requestOf(campaignId, { to });
    await record(harness.context.stores, request);
    await harness.pause(campaignId, 't1');
    await harness.pause(campaignId, 't2');
    expect(await run(request)).toMatchObject({ state: 'failed', error: { code: 'target-inactive' } });
  });

  it('while the operation runs leaves its share to the others, and the receipt says so', async () => {
    const campaignId = await campaignWith(pool(12));
    const request = requestOf(campaignId, { to });
    await oneSlice(harness.context.stores, request);
    await harness.pause(campaignId, 't1');
    const ended = await run(request);
    expect(ended).toMatchObject({ state: 'done', receipt: { moved: 12, pausedTargets: ['t1'] } });
    expect(await harness.loads(campaignId)).toEqual({ t1: 2, t2: 10 });
  });
});

describe('a number for each target', () => {
  it('gives each target its number, with the same mix of old and new', async () => {
    const campaignId = await campaignWith(pool(12));
    const ended = await run(requestOf(campaignId, { to: { counts: { t1: 3, t2: 6 } } }));
    expect(ended).toMatchObject({ state: 'done', receipt: { moved: 9, asked: 9, shortBecause: null } });
    expect(await harness.loads(campaignId)).toEqual({ pool: 3, t1: 3, t2: 6 });
    const docs = await harness.context.database.conversations.find({ campaignId }).sort({ waitingSince: 1 }).toArray();
    const dealt = docs.slice(0, 9).map(({ assigneeId }) => assigneeId);
    // Each third of the deal has the same parts.
    for (const at of [0, 3, 6]) expect(dealt.slice(at, at + 3).filter((each) => each === 't1')).toHaveLength(1);
  });

  it('gives what there is in the same proportions', async () => {
    const campaignId = await campaignWith(pool(6));
    const ended = await run(requestOf(campaignId, { to: { counts: { t1: 10, t2: 20 } } }));
    expect(ended?.receipt).toMatchObject({ moved: 6, asked: 30, shortBecause: 'none-left' });
    expect(await harness.loads(campaignId)).toEqual({ t1: 2, t2: 4 });
  });

  it('takes from everyone but the targets', async () => {
    const campaignId = await campaignWith([
      ...pool(2),
      ...pool(4, { assigneeId: 't1' }),
      ...pool(4, { assigneeId: 't3' }),
    ]);
    await run(requestOf(campaignId, { from: 'everyone', to: { counts: { t1: 2, t2: 4 } } }));
    expect(await harness.loads(campaignId)).toEqual({ t1: 6, t2: 4 });
  });

  it('keeps the number of a target who is paused meanwhile from the others, and says why it is short', async () => {
    const campaignId = await campaignWith(pool(20));
    const request = requestOf(campaignId, { to: { counts: { t1: 6, t2: 6 } } });
    await oneSlice(harness.context.stores, request);
    await harness.pause(campaignId, 't1');
    const ended = await run(request);
    expect(ended?.receipt).toMatchObject({
      asked: 12,
      moved: 8,
      shortBecause: 'texter-inactive',
      pausedTargets: ['t1'],
    });
    expect(await harness.loads(campaignId)).toMatchObject({ t1: 2, t2: 6 });
  });

  it('is not lost when an id is __proto__', () => {
    const counts = JSON.parse('{"__proto__": 30, "t1": 5}') as Record<string, number>;
    expect(() => parseRequest(requestOf('c', { to: { counts } }))).toThrow('must not have the id __proto__');
  });

  it('belongs to the request, also for a texter whose id is a name of a field', () => {
    const hashOf = (confirm: number): string =>
      requestHash(requestOf('c', { operationId: 'op', to: { counts: { confirm } } }));
    expect(hashOf(30)).not.toBe(hashOf(99));
  });

  it('changes no credits', async () => {
    const campaignId = await campaignWith(pool(5));
    await run(requestOf(campaignId, { to: { counts: { t1: 1, t2: 3 } } }));
    expect(await harness.context.stores.credits.list(campaignId)).toEqual([]);
  });

  it.each([
    [{ to: { counts: {} } }, 'to.counts must not be empty'],
    [{ to: { counts: { t1: 0 } } }, 'to.counts.t1 must be a whole number'],
    [{ to: { counts: { t1: 1 } }, count: 1 }, 'count must be left out when "to" has a number for each target'],
    [{ to: { counts: { t1: 1 } }, spread: 'level' as const }, 'spread must be left out'],
  ])('is refused when it is wrong: %j', (more, message) => {
    expect(() => parseRequest(requestOf('c', more))).toThrow(message);
  });

  it('is refused when a target is a source too', async () => {
    const campaignId = await campaignWith([]);
    const request = requestOf(campaignId, { from: { texterIds: ['t1', 't3'] }, to: { counts: { t1: 1 } } });
    expect(await run(request)).toMatchObject({ error: { code: 'same-source-and-target' } });
  });
});

describe('a reassign past a limit of self-assign', () => {
  const rules = { enabled: true, openMax: 3, repliesMax: 1 };
  const conversations = [
    ...pool(4, { status: 'not-started' }),
    ...pool(2, { assigneeId: 't1', status: 'not-started' }),
    ...pool(1, { assigneeId: 't1', status: 'not-started', optedOut: true }),
    ...pool(2, { status: 'needs-reply' }),
  ];
  const overLimit = [
    { texterId: 't1', limit: 'open-max', max: 3, count: 6 },
    { texterId: 't1', limit: 'replies-max', max: 1, count: 2 },
  ];
  const to = { texterIds: ['t1'] };

  it('is done, and the receipt and the preview warn with the number', async () => {
    const campaignId = await campaignWith(conversations, rules);
    const request = requestOf(campaignId, { to });
    expect(await preview(harness.context.stores, parseRequest(request))).toMatchObject({ moved: 6, overLimit });
    expect((await run(request))?.receipt).toMatchObject({ moved: 6, overLimit });
  });

  it('warns when a single move passes the limit', async () => {
    const campaignId = await campaignWith(pool(1, { assigneeId: 't1' }), { enabled: true, openMax: 1 });
    const [conversationId = ''] = await harness.seedConversations(campaignId, pool(1));
    const operationId = harness.newId('op');
    const ended = await run({
      kind: 'reassign-one',
      operationId,
      campaignId,
      conversationId,
      to: { texterIds: ['t1'] },
    });
    expect(ended?.receipt).toMatchObject({
      moved: 1,
      overLimit: [{ texterId: 't1', limit: 'open-max', max: 1, count: 2 }],
    });
  });

  it('does not warn where self-assign is off, or when the texter is within the limit', async () => {
    const off = await campaignWith(conversations, { ...rules, enabled: false });
    expect((await run(requestOf(off, { to })))?.receipt).not.toHaveProperty('overLimit');
    const within = await campaignWith(conversations, { enabled: true, openMax: 6 });
    expect((await run(requestOf(within, { to })))?.receipt).not.toHaveProperty('overLimit');
  });
});
