import mongoose from 'mongoose';
import { afterAll, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';
import type { OperationBody } from '../../src/http/operation-shapes.ts';
import { waitForCancellation } from '../../src/http/waiting.ts';
import { Harness } from '../support/harness.ts';
import { until } from '../support/until.ts';
import { HttpHarness, type Answered, type Client } from './support.ts';

let harness: Harness;
let http: HttpHarness;
let client: Client;
let campaignId: string;
beforeAll(async () => {
  harness = await Harness.open();
  await harness.startWorker();
  http = await HttpHarness.start(harness);
  client = await http.client();
});
afterAll(async () => {
  await http.close();
  await harness.close();
});
beforeEach(async () => {
  campaignId = await harness.seedCampaign(2, { selfAssign: { enabled: true } });
  await harness.seedConversations(
    campaignId,
    Array.from({ length: 6 }, () => ({})),
  );
});

const DEAL = { kind: 'reassign', from: 'pool', to: 'everyone', status: 'any' };
const WAIT = { prefer: 'wait=20' };
const path = (rest: string) => `/v1/campaigns/${campaignId}/${rest}`;

function send(id: string, body: object, headers = {}): Promise<Answered<OperationBody>> {
  return client.post<OperationBody>(path('operations'), body, { 'idempotency-key': id, ...headers });
}

describe('reading an operation', () => {
  it('reads it from the database once', async () => {
    const id = harness.newId('op');
    await send(id, DEAL, WAIT);
    const spy = vi.spyOn(mongoose.mongo.Collection.prototype, 'find');
    expect((await client.get(path(`operations/${id}`))).body).toMatchObject({ operationId: id, state: 'done' });
    const reads = spy.mock.calls.filter(([filter]) => JSON.stringify(filter['_id']).includes(id));
    spy.mockRestore();
    expect(reads).toHaveLength(1);
  });
});

describe('sending an operation', () => {
  it('answers 202 with its location, and 200 with the receipt when it ended while the caller waited', async () => {
    const id = harness.newId('op');
    const sent = await send(id, DEAL);
    expect(sent).toMatchObject({ status: 202, body: { operationId: id, campaignId, kind: 'reassign' } });
    expect(sent.headers.get('location')).toBe(path(`operations/${id}`));
    expect(sent.headers.get('retry-after')).toBe('1');
    const again = await send(id, DEAL, WAIT);
    expect(again).toMatchObject({ status: 200, body: { state: 'done', receipt: { moved: 6 } } });
    expect(await client.get(sent.headers.get('location') ?? '')).toMatchObject({
      status: 200,
      body: { state: 'done' },
    });
    expect(await harness.loads(campaignId)).toEqual({ t1: 3, t2: 3 });
  });

  it('takes effect once under its key: the same request answers with the operation, another one is refused', async () => {
    const id = harness.newId('op');
    await send(id, DEAL, WAIT);
    const again = await send(id, DEAL);
    expect(again).toMatchObject({ status: 200, body: { state: 'done', receipt: { moved: 6 } } });
    expect(again.headers.get('idempotent-replayed')).toBe('true');
    const other = { body: { ...DEAL, count: 1 }, headers: { 'idempotency-key': id } };
    const problem = await client.problem('POST', path('operations'), other);
    expect(problem).toMatchObject({ status: 422, code: 'operation-conflict' });
  });

  it('refuses a request without a key or with wrong fields, and sends nothing', async () => {
    const missing = await client.problem('POST', path('operations'), { body: DEAL });
    expect(missing.errors).toMatchObject([{ pointer: '#/headers/idempotency-key' }]);
    const body = { ...DEAL, to: { counts: { t1: 0 } }, campaignId: 'other' };
    const wrong = await client.problem('POST', path('operations'), { body, headers: { 'idempotency-key': 'x1' } });
    expect(wrong).toMatchObject({ status: 400, code: 'bad-request' });
    expect(await client.get(path('operations'))).toMatchObject({ body: { operations: [], next: null } });
  });

  it('asks for the confirmation of an unassign of everything, with both numbers, and uses up no key', async () => {
    await send(harness.newId('op'), DEAL, WAIT);
    const id = harness.newId('op');
    const headers = { 'idempotency-key': id };
    const body = { kind: 'unassign', from: 'everyone', status: 'any' };
    const none = await client.problem('POST', path('operations'), { body, headers });
    expect(none).toMatchObject({ status: 409, code: 'confirmation-needed', expected: 'a confirmation of 6' });
    const low = await client.problem('POST', path('operations'), { body: { ...body, confirm: 5 }, headers });
    expect(low).toMatchObject({ status: 409, code: 'confirmation-drifted', received: '6' });
    expect((await client.get(path(`operations/${id}`))).status).toBe(404);
    expect(await send(id, { ...body, confirm: 6 }, WAIT)).toMatchObject({
      status: 200,
      body: { receipt: { moved: 6 } },
    });
  });

  it('shows a refused operation as failed, with the code of the refusal', async () => {
    const body = { ...DEAL, to: { texterIds: ['nobody'] } };
    const answer = await send(harness.newId('op'), body, WAIT);
    expect(answer).toMatchObject({ status: 200, body: { state: 'failed', error: { code: 'unknown-texter' } } });
  });
});

describe('an operation whose stored record is damaged', () => {
  it('fails its own requests and the lists that contain it with a clear problem, and no others', async () => {
    const ids = [harness.newId('op'), harness.newId('op')];
    for (const id of ids) await send(id, { ...DEAL, count: 1 }, WAIT);
    const [damaged = '', whole = ''] = ids;
    await harness.context.database.operations.updateOne({ _id: damaged }, { $set: { granted: 'none' } });
    const reads = [damaged, whole, damaged, whole].map((id) => client.get(path(`operations/${id}`)));
    const problem = { status: 500, body: { code: 'damaged-record', status: 500 } };
    const read = { status: 200, body: { operationId: whole, state: 'done' } };
    expect(await Promise.all(reads)).toMatchObject([problem, read, problem, read]);
    expect(await send(damaged, { ...DEAL, count: 1 }, WAIT)).toMatchObject(problem);
    expect(await client.get(path('operations'))).toMatchObject(problem);
  });
});

describe('an operation', () => {
  it('is previewed, listed page by page, and explained conversation by conversation', async () => {
    const preview = await client.post(path('operations/preview'), DEAL);
    expect(preview).toMatchObject({ status: 200, body: { selected: 6, moved: 6 } });
    for (const count of [1, 2, 3]) await send(harness.newId('op'), { ...DEAL, count }, WAIT);
    const listed: OperationBody[] = [];
    let after = '';
    for (let pages = 0; pages < 5; pages += 1) {
      const query = `limit=2${after === '' ? '' : `&after=${after}`}`;
      const { body } = await client.get<{ operations: OperationBody[]; next: string | null }>(
        path(`operations?${query}`),
      );
      listed.push(...body.operations);
      if (body.next === null) break;
      after = body.next;
    }
    expect(listed.map(({ receipt }) => receipt?.moved)).toEqual([3, 2, 1]);
    const moves = await client.get<{ conversations: object[] }>(
      path(`operations/${listed[0]?.operationId}/moves?limit=2`),
    );
    expect(moves.body.conversations).toMatchObject([{ result: 'moved', from: null }, { result: 'moved' }]);
    for (const list of ['operations', 'conversations?assignee=pool', `operations/${listed[0]?.operationId}/moves`]) {
      const problem = await client.problem('GET', path(`${list}${list.includes('?') ? '&' : '?'}after=x`));
      expect(problem).toMatchObject({ status: 400, errors: [{ pointer: '#/query/after' }] });
    }
  });

  it('is undone, and can be neither cancelled nor retried when it is done', async () => {
    const id = harness.newId('op');
    await send(id, DEAL, WAIT);
    const headers = { 'idempotency-key': harness.newId('op'), ...WAIT };
    const undone = await client.post(path(`operations/${id}/undo`), {}, headers);
    expect(undone).toMatchObject({
      status: 200,
      body: { kind: 'undo', request: { undoes: id }, receipt: { moved: 6 } },
    });
    const cancelled = await client.post(path(`operations/${id}/cancel`), undefined, WAIT);
    expect(cancelled).toMatchObject({ status: 409, body: { code: 'operation-ended' } });
    // The headers of an answer are not those of its refusal.
    expect(cancelled.headers.get('preference-applied')).toBe(null);
    expect(await client.problem('POST', path(`operations/${id}/retry`))).toMatchObject({ code: 'not-retryable' });
  });
});

describe('a list of operations', () => {
  it('has only the operations of the kind and the state that the caller names', async () => {
    const [deal, claim] = [harness.newId('op'), harness.newId('cl')];
    const headers = { 'idempotency-key': claim, ...WAIT };
    await client.post(path('claims'), { texterId: 't1', count: 2 }, headers);
    await send(deal, DEAL, WAIT);
    const listed = async (query: string) => {
      const { body } = await client.get<{ operations: OperationBody[] }>(path(`operations${query}`));
      return body.operations.map(({ operationId }) => operationId);
    };
    expect(await listed('')).toEqual([deal, claim]);
    expect(await listed('?kind=reassign')).toEqual([deal]);
    expect(await listed('?kind=self-assign&state=done')).toEqual([claim]);
    expect(await listed('?kind=self-assign&state=failed')).toEqual([]);
    expect(await client.problem('GET', path('operations?kind=move'))).toMatchObject({ code: 'bad-request' });
  });
});

describe('a request to cancel', () => {
  it('is sent while the server stops, although its answer is not awaited', async () => {
    const operationId = harness.newId('op');
    await harness.producer.selfAssign({ operationId, campaignId, texterId: 't1', count: 20, waitMs: 60_000 });
    await until('the claim to wait', () => harness.isWaiting(operationId));
    const cancel = (wait: { waitMs: number }) => harness.producer.cancel({ operationId, campaignId }, wait);
    await waitForCancellation(0, AbortSignal.abort(), cancel);
    const shown = async () => (await client.get(path(`operations/${operationId}`))).body;
    await until('the claim to be cancelled', async () => (await shown())['state'] === 'cancelled');
  });
});

describe('claims, texters and counts', () => {
  it('gives a texter conversations, once for each key', async () => {
    const headers = { 'idempotency-key': harness.newId('op'), ...WAIT };
    const claim = () => client.post<OperationBody>(path('claims'), { texterId: 't1', count: 2 }, headers);
    const first = await claim();
    expect(first).toMatchObject({ status: 200, body: { kind: 'self-assign', state: 'done', receipt: { moved: 2 } } });
    expect(await claim()).toEqual({ ...first, headers: expect.anything() as Headers });
    expect((await client.post(path('pool-refilled'))).status).toBe(204);
    const shown = await client.get(path('senders'));
    expect(shown).toMatchObject({
      body: { senders: [{ texterId: 't1', total: 2 }, { total: 0 }], pool: { total: 4 } },
    });
    const view = await client.get<{ conversations: { conversationId: string }[]; next: string }>(
      path('conversations?assignee=t1&limit=1'),
    );
    expect(view.body.conversations).toHaveLength(1);
    const rest = await client.get(path(`conversations?assignee=t1&limit=1&after=${view.body.next}`));
    expect(rest.body).toMatchObject({ next: null, hidden: 0 });
    const one = await client.get(path(`conversations/${view.body.conversations[0]?.conversationId}`));
    expect(one.body).toMatchObject({ assigneeId: 't1', history: [{ from: null, to: 't1' }] });
  });

  it('changes texters in bulk, each by itself, and records who did it', async () => {
    const texters = [
      { texterId: 't2', name: 'Two' },
      { texterId: 't3', name: 'Three' },
    ];
    const added = await client.post(path('texters'), { texters, actorId: 'p_anna' });
    expect(added.body).toMatchObject({
      texters: [{ refusal: { code: 'texter-exists' } }, { texter: { joinedOrder: 3 } }],
    });
    await client.post(path('texters/pause'), { texterIds: ['t3'] });
    expect(await client.get(path('texters/t3'))).toMatchObject({ body: { active: false } });
    await client.post(path('texters/remove'), { texterIds: ['t3'] });
    expect((await client.get(path('texters/t3'))).status).toBe(404);
    const [removed, , addition] = await harness.context.changes.list('default', 3);
    expect(removed).toMatchObject({ kind: 'texters-removed', subjectIds: ['t3'], outcome: 'done' });
    expect(addition?.actor).toMatch(/^key:[0-9a-f]{16}\/p_anna$/);
  });
});
