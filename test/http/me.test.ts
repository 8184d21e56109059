import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { viewConversations } from '../../src/conversations/index.ts';
import type { OwnOperation } from '../../src/http/own-operation.ts';
import { conversationDoc } from '../support/documents.ts';
import { Harness, many } from '../support/harness.ts';
import { Client, HttpHarness, type Answered } from './support.ts';

interface View {
  readonly conversations: readonly { readonly conversationId: string; readonly name: string }[];
  readonly hidden: number;
  readonly next: string | null;
}

let harness: Harness;
let http: HttpHarness;
let app: Client;
let campaignId: string;
let me: Client;
/** The texts that must not be in any answer: ids and names of other texters, of their conversations, and of the pool's. */
let secrets: string[];
let mine: string[];
let theirs: string[];
const answers: unknown[] = [];
beforeAll(async () => {
  harness = await Harness.open();
  await harness.startWorker();
  http = await HttpHarness.start(harness);
  app = await http.client();
});
afterAll(async () => {
  await http.close();
  await harness.close();
});
beforeEach(async () => {
  campaignId = await harness.seedCampaign(0, { selfAssign: { enabled: true, batchMax: 3 } });
  const texters = [
    { texterId: 't_me', name: 'Mina' },
    { texterId: 't_secret', name: 'Somebody Secret' },
  ];
  await app.post(path('texters'), { texters });
  const statuses = ['needs-reply', 'not-started', 'in-progress', 'awaiting-contact'] as const;
  mine = await harness.seedConversations(
    campaignId,
    statuses.map((status) => ({ status, assigneeId: 't_me' })),
  );
  theirs = await harness.seedConversations(campaignId, many(2, { assigneeId: 't_secret', name: 'Secret Contact' }));
  const { body } = await app.post<{ token: string }>(path('texters/t_me/tokens'));
  me = new Client(http.server.address, body.token);
  secrets = ['t_secret', 'Somebody', 'Secret Contact', ...theirs];
  answers.length = 0;
});

const path = (rest: string) => `/v1/campaigns/${campaignId}/${rest}`;

async function get<Body>(of: string): Promise<Answered<Body>> {
  const answer = await me.get<Body>(`/v1/me${of}`);
  answers.push(answer.body, [...answer.headers]);
  return answer;
}

async function send(of: string, body: object, id = harness.newId('op')): Promise<Answered<OwnOperation>> {
  const answer = await me.post<OwnOperation>(`/v1/me${of}`, body, { 'idempotency-key': id, prefer: 'wait=20' });
  answers.push(answer.body, [...answer.headers]);
  return answer;
}

/** Walks every field of every answer. A texter may find an id in an answer only if the request named it. */
function expectNoSecrets(except: readonly string[] = []): void {
  const texts = (value: unknown): string[] =>
    typeof value === 'object' && value !== null ? Object.entries(value).flat().flatMap(texts) : [String(value)];
  const shown = answers.flatMap(texts);
  expect(answers.length).toBeGreaterThan(0);
  for (const secret of secrets.filter((each) => !except.includes(each))) {
    expect(shown.filter((text) => text.includes(secret))).toEqual([]);
  }
}

describe('a texter with a token', () => {
  it('sees who they are, and their own conversations in pages and by status, but nobody else', async () => {
    expect(await get('')).toMatchObject({
      status: 200,
      body: {
        ...{ texterId: 't_me', name: 'Mina', active: true, campaign: { campaignId, closed: false } },
        counts: { 'needs-reply': 1, 'not-started': 1, 'in-progress': 1, 'awaiting-contact': 1, closed: 0 },
      },
    });
    const listed: string[] = [];
    let after = '';
    do {
      const { body } = await get<View>(`/conversations?limit=2${after}`);
      expect(body.hidden).toBe(1);
      listed.push(...body.conversations.map(({ conversationId }) => conversationId));
      after = body.next === null ? '' : `&after=${body.next}`;
    } while (after !== '');
    expect(listed).toEqual(mine.slice(0, 3));
    const replies = await get<View>('/conversations?status=needs-reply');
    expect(replies.body.conversations).toMatchObject([
      { conversationId: mine[0], phone: expect.any(String) as string },
    ]);
    expect((await get('/conversations?assignee=t_secret')).status).toBe(400);
    expectNoSecrets();
  });

  it('gets more from the pool once for each key, within the rules, and reads the claim', async () => {
    await harness.seedConversations(campaignId, many(5));
    const id = harness.newId('cl');
    const claimed = await send('/claims', { count: 2 }, id);
    expect(claimed).toMatchObject({ status: 200, body: { operationId: id, kind: 'claim', state: 'done', moved: 2 } });
    expect(claimed.headers.get('location')).toBe(`/v1/me/operations/${id}`);
    const again = await send('/claims', { count: 2 }, id);
    expect(again.body).toEqual(claimed.body);
    expect(again.headers.get('idempotent-replayed')).toBe('true');
    expect(await get(`/operations/${id}`)).toMatchObject({ status: 200, body: claimed.body });
    expect((await send('/claims', { count: 2, texterId: 't_secret' })).status).toBe(400);
    expect((await send('/claims', { count: 1 }, id)).status).toBe(422);
    const { conversations } = (await get<View>('/conversations')).body;
    expect(conversations).toHaveLength(5);
    expect(await harness.loads(campaignId)).toEqual({ t_me: 6, t_secret: 2, pool: 3 });
    expectNoSecrets();
  });

  it('who is paused gets no more, and still lists and gives back', async () => {
    await harness.seedConversations(campaignId, many(2));
    await app.post(path('texters/pause'), { texterIds: ['t_me'] });
    expect(await send('/claims', {})).toMatchObject({ body: { state: 'failed', error: { code: 'texter-inactive' } } });
    const gaveBack = await send('/give-back', { conversationIds: mine.slice(0, 1), reason: 'no-time' });
    expect(gaveBack).toMatchObject({ status: 200, body: { kind: 'give-back', moved: 1 } });
    expectNoSecrets();
  });

  it('gives some back with a reason, and moves nothing that another texter has', async () => {
    const missing = '0'.repeat(24);
    const conversationIds = [mine[0] ?? '', theirs[0] ?? '', missing];
    const body = { conversationIds, reason: 'other-language' };
    const gaveBack = await send('/give-back', body);
    expect(gaveBack.body).toMatchObject({
      moved: 1,
      results: [
        { conversationId: mine[0], result: 'given-back' },
        { conversationId: theirs[0], result: 'not-yours' },
        { conversationId: missing, result: 'not-yours' },
      ],
    });
    expect(await harness.loads(campaignId)).toEqual({ t_me: 3, t_secret: 2, pool: 1 });
    const stored = await app.get(path(`operations/${gaveBack.body.operationId}`));
    expect(stored).toMatchObject({
      body: { kind: 'unassign-list', request: { actorId: 't_me', reason: 'other-language' } },
    });
    for (const wrong of [{ ...body, reason: 'because' }, { conversationIds }, { ...body, status: 'any' }]) {
      expect((await send('/give-back', wrong)).status).toBe(400);
    }
    expectNoSecrets(theirs);
  });

  it('gives all back when they confirm the number, also those that the view hides', async () => {
    const all = { status: 'any', reason: 'done-for-today' };
    const none = await send('/give-back', all);
    expect(none).toMatchObject({ status: 409, body: { code: 'confirmation-needed', expected: 'a confirmation of 4' } });
    const low = await send('/give-back', { ...all, confirm: 3 });
    expect(low).toMatchObject({ status: 409, body: { code: 'confirmation-drifted', received: '4' } });
    const id = harness.newId('op');
    for (let repetition = 0; repetition < 2; repetition += 1) {
      const gaveBack = await send('/give-back', { ...all, confirm: 4 }, id);
      expect(gaveBack).toMatchObject({ status: 200, body: { operationId: id, moved: 4, error: null } });
    }
    expect(await harness.loads(campaignId)).toEqual({ t_secret: 2, pool: 4 });
    expectNoSecrets();
  });

  it('does not see the operations of others, also where an app has named them as the actor', async () => {
    const body = { kind: 'unassign', from: { texterIds: ['t_secret'] }, status: 'any', confirm: 2, actorId: 't_me' };
    const id = harness.newId('op');
    await app.post(path('operations'), body, { 'idempotency-key': id, prefer: 'wait=20' });
    const claim = harness.newId('cl');
    const ofOther = { texterId: 't_secret', count: 1 };
    await app.post(path('claims'), ofOther, { 'idempotency-key': claim, prefer: 'wait=20' });
    for (const each of [id, claim, 'nowhere']) expect((await get(`/operations/${each}`)).status).toBe(404);
    expect((await send('/claims', { count: 1 }, claim)).status).toBe(422);
    expectNoSecrets();
  });

  it('does not see a conversation that moves to another texter while a page is read', async () => {
    const { views } = harness.context;
    const find = views.findByIds.bind(views);
    const doc = conversationDoc(9_999, { campaignId, assigneeId: 't_me', status: 'needs-reply' });
    await harness.seeder.conversations([doc]);
    const moving = {
      findByIds: async (campaign: string, ids: readonly string[]) => {
        await harness.context.database.conversations.updateOne({ _id: doc._id }, { $set: { assigneeId: 't_secret' } });
        return find(campaign, ids);
      },
    };
    const deps = { ...harness.context, views: { ...views, ...moving } };
    const asked = { campaignId, assignees: ['t_me'], status: undefined, limit: 10, after: null };
    const { conversations } = await viewConversations(deps, asked);
    expect(conversations.map(({ assigneeId }) => assigneeId)).toEqual(['t_me', 't_me', 't_me']);
  });
});
