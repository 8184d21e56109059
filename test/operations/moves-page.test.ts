import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { serveClaims } from '../../src/claims/index.ts';
import { parseMovesRequest } from '../../src/operations/moves-job.ts';
import { toMovesPage, type ConversationResult, type MovesPage } from '../../src/operations/moves-job.ts';
import { readMoves } from '../../src/operations/moves-page.ts';
import type { OperationViewStore } from '../../src/operations/view-ports.ts';
import { Harness } from '../support/harness.ts';
import { rawBatches } from '../support/raw.ts';
import { oneSlice, runToEnd } from '../support/run-operation.ts';
import type { AnyRequest } from '../support/any-request.ts';

const CONVERSATIONS = 20;
/** The batch size of `runToEnd`. */
const BATCH = 4;

describe('the pages of what an operation did', () => {
  let harness: Harness;
  let campaignId: string;
  let ids: string[];

  beforeAll(async () => {
    harness = await Harness.open();
  });
  afterAll(() => harness.close());
  beforeEach(async () => {
    campaignId = await harness.seedCampaign(3, { selfAssign: { enabled: true } });
    ids = await harness.seedConversations(
      campaignId,
      Array.from({ length: CONVERSATIONS }, (_, at) => ({ waitedMs: (100 - at) * 1_000, optedOut: at % 7 === 3 })),
    );
  });

  const asked = () => ({ operationId: harness.newId('op'), campaignId });
  const dealing = () => ({ kind: 'reassign', ...asked(), from: 'pool', to: 'everyone', status: 'any' }) as const;
  const run = async (request: AnyRequest): Promise<string> => {
    await runToEnd(harness.context.stores, request);
    return request.operationId;
  };
  const read = async (operationId: string, more: object = {}): Promise<MovesPage> =>
    toMovesPage(await readMoves(harness.context, parseMovesRequest({ operationId, campaignId, ...more })));

  async function readAll(operationId: string, limit: number): Promise<{ pages: number; all: ConversationResult[] }> {
    const all: ConversationResult[] = [];
    let after: string | null | undefined = undefined;
    for (let pages = 0; ; pages += 1) {
      if (after === null) return { pages, all };
      const page: MovesPage = await read(operationId, { limit, after });
      expect(page.conversations.length).toBeLessThanOrEqual(limit);
      all.push(...page.conversations);
      after = page.next;
    }
  }

  const reasons = (all: readonly ConversationResult[]): string[] =>
    all.flatMap((each) => (each.result === 'skipped' ? each.reason : []));

  it.each([1, 3, BATCH, 5, 8, CONVERSATIONS, 1_000])('has each conversation once in pages of %i', async (limit) => {
    const { all } = await readAll(await run(dealing()), limit);
    expect(all.map(({ conversationId }) => conversationId).sort()).toEqual([...ids].sort());
    expect(reasons(all)).toEqual(['opted-out', 'opted-out', 'opted-out']);
  });

  it('says where each conversation moved, in which status and when, and why it was skipped', async () => {
    const operationId = await run(dealing());
    const { conversations, state, next } = await read(operationId);
    expect({ state, next }).toEqual({ state: 'done', next: null });
    const [batch] = await rawBatches(harness, operationId);
    const first = conversations.find(({ conversationId }) => conversationId === ids[0]);
    const moved = { conversationId: ids[0], result: 'moved', from: null, status: 'not-started', at: batch?.appliedAt };
    expect(first).toEqual({ ...moved, to: expect.stringMatching(/^t[123]$/) as unknown });
    const skipped = conversations.find(({ conversationId }) => conversationId === ids[3]);
    expect(skipped).toEqual({ conversationId: ids[3], result: 'skipped', reason: 'opted-out' });
  });

  it('has the same conversations for an undo, from their targets back to their sources', async () => {
    const dealt = await run(dealing());
    const undone = await run({ kind: 'undo', ...asked(), undoes: dealt });
    const movesOf = async (operationId: string): Promise<unknown[]> =>
      (await readAll(operationId, 5)).all.flatMap((each) =>
        each.result === 'moved' ? [[each.conversationId, each.from, each.to]] : [],
      );
    const reversed = (await movesOf(undone)).map((move) => {
      const [id, from, to] = move as string[];
      return [id, to, from];
    });
    expect(reversed.sort()).toEqual((await movesOf(dealt)).sort());
  });

  it('has the conversations of a claim in the order in which it received them', async () => {
    const request = { kind: 'self-assign', ...asked(), texterId: 't1', count: 5 } as const;
    const [claim] = (
      await serveClaims(harness.context.stores.claims, campaignId, [{ request, requestHash: 'h', sendId: 's' }])
    ).answered;
    const { all, pages } = await readAll(request.operationId, 2);
    const move = { result: 'moved', from: null, to: 't1', status: 'not-started', at: claim?.endedAt };
    expect(all).toEqual(claim?.granted.map((conversationId) => ({ conversationId, ...move })));
    expect(pages).toBe(3);
  });

  it('continues after the part that a running operation had applied, without a gap', async () => {
    const request = dealing();
    await oneSlice(harness.context.stores, request);
    const early = await read(request.operationId);
    expect(early).toMatchObject({ state: 'running', next: expect.any(String) as unknown });
    expect(early.conversations.length).toBeGreaterThan(0);
    expect(early.conversations.length).toBeLessThan(CONVERSATIONS);
    await run(request);
    const later = await read(request.operationId, { after: early.next });
    expect(later.next).toBeNull();
    const all = [...early.conversations, ...later.conversations].map(({ conversationId }) => conversationId);
    expect(all.sort()).toEqual([...ids].sort());
  });

  it('has nothing for a refused operation, and after the end', async () => {
    const refused = await run({ kind: 'unassign', ...asked(), from: 'everyone', status: 'any' });
    expect(await read(refused)).toMatchObject({ state: 'failed', conversations: [], next: null });
    const dealt = await run(dealing());
    for (const after of ['99-0', '5-99']) {
      expect(await read(dealt, { after })).toMatchObject({ conversations: [], next: null });
    }
  });

  it('reads only the batches of the page, and the one that shows whether there are more', async () => {
    const operationId = await run(dealing());
    const numbers: number[] = [];
    const batchesFrom: OperationViewStore['batchesFrom'] = async function* (...args) {
      for await (const batch of harness.context.operationViews.batchesFrom(...args)) {
        numbers.push(batch.number);
        yield batch;
      }
    };
    const operationViews = { ...harness.context.operationViews, batchesFrom };
    const request = parseMovesRequest({ operationId, campaignId, limit: BATCH, after: '2-0' });
    const { next } = await readMoves({ stores: harness.context.stores, operationViews }, request);
    expect(numbers).toEqual([2, 3]);
    expect(next).toBe('3-0');
  });

  it('is refused for an operation of another campaign, an unknown one, and a cursor that no page has', async () => {
    const operationId = await run(dealing());
    const other = await harness.seedCampaign(1);
    await expect(read(operationId, { campaignId: other })).rejects.toMatchObject({ code: 'unknown-operation' });
    await expect(read('nothing')).rejects.toMatchObject({ code: 'unknown-operation' });
    await expect(read(operationId, { after: 'x' })).rejects.toMatchObject({
      code: 'bad-request',
      message: 'after must be the "next" of the page before',
    });
    await expect(read(operationId, { limit: 1_001 })).rejects.toMatchObject({ code: 'bad-request' });
  });
});
