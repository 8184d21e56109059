import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { requestHash } from '../../src/domain/requests.ts';
import { parseRequest } from '../../src/operations/contract.ts';
import { runOperation } from '../../src/operations/lifecycle.ts';
import { moveSeveral } from '../../src/operations/move-one.ts';
import { MovesTogether } from '../../src/operations/move-together.ts';
import type { Operation } from '../../src/operations/operation.ts';
import type { Stores } from '../../src/operations/ports.ts';
import { blockMoves } from '../support/blocked-conversation.ts';
import { Harness, many } from '../support/harness.ts';
import { intercepted } from '../support/intercepted-stores.ts';
import { rawBatches, rawConversations, rawOperation } from '../support/raw.ts';
import type { AnyRequest } from '../support/any-request.ts';

const MANY = 60;
/** The store methods that write single moves. */
const WRITES = new Set(['operations.moveNow', 'operations.insertDone']);

describe('single moves that a worker has at the same time', () => {
  let harness: Harness;
  beforeAll(async () => {
    harness = await Harness.open();
  });
  afterAll(() => harness.close());

  const clock = { now: () => new Date() };
  /** Runs requests at the same time, as one worker does. Returns each operation, or the code of its error. */
  const runner = (stores: Stores = harness.context.stores) => {
    const moves = new MovesTogether({ stores, clock });
    return async (input: AnyRequest): Promise<Operation | string> => {
      const request = parseRequest(input);
      const command = { request, requestHash: requestHash(request), sendId: request.operationId };
      const controls = {
        limits: { batchConversationsMax: 10, batchesInFlightMax: 1 },
        shouldStop: () => false,
        moveOne: (one: Parameters<typeof moves.move>[0]) => moves.move(one),
      };
      try {
        return (await runOperation({ stores, clock }, command, controls)).operation;
      } catch (error) {
        return (error as { code?: string }).code ?? String(error);
      }
    };
  };
  const seed = async (openMax = 300): Promise<{ campaignId: string; ids: string[] }> => {
    const campaignId = await harness.seedCampaign(2, { selfAssign: { enabled: true, openMax } });
    return {
      campaignId,
      ids: await harness.seedConversations(campaignId, many(MANY)),
    };
  };
  const toT1 = (campaignId: string, conversationId: string) => ({
    kind: 'reassign-one' as const,
    operationId: harness.newId('op'),
    campaignId,
    conversationId,
    to: { texterIds: ['t1'] as [string] },
  });

  it('are written in few transactions, and each has its receipt, its batch and its place in a history', async () => {
    const { campaignId, ids } = await seed();
    let writes = 0;
    const stores = intercepted(harness.context.stores, (_, name, call) => {
      if (WRITES.has(name)) writes += 1;
      return call();
    });
    const requests = ids.map((id) => toT1(campaignId, id));
    const ended = await Promise.all(requests.map(runner(stores)));
    expect(ended).toMatchObject(requests.map(() => ({ state: 'done', receipt: { moved: 1, selected: 1 } })));
    // One for the first, one for the others, and some more when the first takes long.
    expect(writes).toBeLessThan(MANY / 4);
    const docs = await rawConversations(harness, campaignId);
    for (const { conversationId, operationId } of requests) {
      expect(docs.get(conversationId)).toMatchObject({
        assigneeId: 't1',
        assignmentVersion: 1,
        lastOperationId: operationId,
      });
    }
    const [{ operationId }] = requests as [(typeof requests)[0]];
    expect(await rawOperation(harness, operationId)).toMatchObject({ state: 'done', sequence: 0 });
    expect((await rawBatches(harness, operationId)).map(({ state }) => state)).toEqual(['applied', 'end-marker']);
    // Sent again, they find what they did.
    const again = await Promise.all(requests.map(runner(stores)));
    expect(again).toMatchObject(requests.map(() => ({ state: 'done', receipt: { moved: 1 } })));
    expect((await rawConversations(harness, campaignId)).get(ids[0] ?? '')).toMatchObject({ assignmentVersion: 1 });
  });

  it('that follow those of a round are not written alone', async () => {
    const { campaignId, ids } = await seed();
    let alone = 0;
    const stores = intercepted(harness.context.stores, (_, name, call) => {
      if (name === 'operations.moveNow') alone += 1;
      return call();
    });
    const run = runner(stores);
    // Each of ten senders sends the next move when the one before has ended.
    const senders = Array.from({ length: 10 }, async (_sender, at) => {
      for (const id of ids.slice(6 * at, 6 * at + 6))
        expect(await run(toT1(campaignId, id))).toMatchObject({ state: 'done' });
    });
    await Promise.all(senders);
    // The first one, and perhaps the last one.
    expect(alone).toBeLessThan(4);
  });

  it('do not fail because of one of them that is refused, skipped or a conflict of ids', async () => {
    const { campaignId, ids } = await seed();
    const good = ids.slice(5).map((id) => toT1(campaignId, id));
    const [moved = '', taken = '', other = '', expected = ''] = ids;
    const run = runner();
    const existing = toT1(campaignId, moved);
    await run(existing);
    const bad: AnyRequest[] = [
      { ...toT1(campaignId, taken), to: { texterIds: ['t_nobody'] } },
      { ...toT1(campaignId, 'a'.repeat(24)) },
      { ...toT1(campaignId, other), operationId: existing.operationId },
      { ...toT1(campaignId, expected), expectedAssigneeId: 't2' },
      toT1(campaignId, moved),
    ];
    const ended = await Promise.all([...good.slice(0, 20), ...bad, ...good.slice(20)].map(run));
    expect(ended.slice(20, 25)).toMatchObject([
      { state: 'failed', error: { code: 'unknown-texter' } },
      { state: 'failed', error: { code: 'unknown-conversation' } },
      'operation-conflict',
      { state: 'done', receipt: { moved: 0, skipped: [{ reason: 'assignee-changed', count: 1 }] } },
      { state: 'done', receipt: { moved: 0, skipped: [{ reason: 'already-there', count: 1 }] } },
    ]);
    expect([...ended.slice(0, 20), ...ended.slice(25)]).toMatchObject(good.map(() => ({ receipt: { moved: 1 } })));
  });

  it('end while another program holds one of their conversations', async () => {
    const { campaignId, ids } = await seed();
    const [held = '', ...others] = ids.slice(0, 12);
    const block = await blockMoves(harness, held);
    const run = runner();
    const first = run(toT1(campaignId, others[0] ?? ''));
    const blocked = run(toT1(campaignId, held));
    const ended = await Promise.all([first, ...others.slice(1).map((id) => run(toT1(campaignId, id)))]);
    expect(ended).toMatchObject(others.map(() => ({ receipt: { moved: 1 } })));
    await block.remove();
    const result = await blocked;
    // After half a second its job goes back to the queue and runs again.
    if (typeof result === 'string') expect(result).toMatch(/WriteConflict/);
    else expect(result).toMatchObject({ receipt: { moved: 1 } });
  });

  it('that are refused or known already do not wait for one whose conversation another program holds', async () => {
    const { campaignId, ids } = await seed();
    const [held = '', taken = '', first = ''] = ids;
    const run = runner();
    const existing = toT1(campaignId, taken);
    await run(existing);
    const block = await blockMoves(harness, held);
    const refused = { ...toT1(campaignId, taken), to: { texterIds: ['t_nobody'] as [string] } };
    const [, blocked, ...others] = [toT1(campaignId, first), toT1(campaignId, held), existing, refused].map(run);
    expect(await Promise.all(others)).toMatchObject([
      { state: 'done', receipt: { moved: 1 } },
      { state: 'failed', error: { code: 'unknown-texter' } },
    ]);
    await block.remove();
    await blocked;
  });

  it('of two workers to the same texter are still written together', async () => {
    const { campaignId, ids } = await seed();
    let writes = 0;
    const stores = intercepted(harness.context.stores, (_, name, call) => {
      if (WRITES.has(name)) writes += 1;
      return call();
    });
    const workers = [runner(stores), runner(stores)];
    const requests = ids.map((id) => toT1(campaignId, id));
    const ended = await Promise.all(requests.map(async (request, at) => workers[at % 2]?.(request)));
    expect(ended).toMatchObject(requests.map(() => ({ receipt: { moved: 1 } })));
    expect(writes).toBeLessThan(MANY / 2);
  });

  it('count each other in one transaction when they take a texter past a limit', async () => {
    const { campaignId, ids } = await seed(3);
    const commands = ids.slice(0, 6).map((id) => {
      const request = { ...toT1(campaignId, id), kind: 'reassign-one' as const };
      return { request, requestHash: requestHash(request), sendId: request.operationId };
    });
    const moved = await moveSeveral({ stores: harness.context.stores, clock }, commands);
    const counts = (moved ?? []).map((operation) => operation?.receipt?.overLimit?.[0]?.count);
    expect(counts).toEqual([undefined, undefined, undefined, 4, 5, 6]);
  });

  it('of one conversation follow each other', async () => {
    const { campaignId, ids } = await seed();
    const run = runner();
    const [id = ''] = ids;
    await run(toT1(campaignId, id));
    const back = { kind: 'unassign-one' as const, campaignId, conversationId: id };
    await Promise.all([
      run(toT1(campaignId, ids[7] ?? '')),
      run({ ...back, operationId: harness.newId('op') }),
      run(toT1(campaignId, id)),
    ]);
    expect((await rawConversations(harness, campaignId)).get(id)).toMatchObject({
      assigneeId: 't1',
      assignmentVersion: 3,
    });
  });
});
