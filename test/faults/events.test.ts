import { Redis } from 'ioredis';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { parseKey } from '../../src/access/index.ts';
import { streamKey } from '../../src/events/index.ts';
import { Cli, cliEnv } from '../support/cli.ts';
import { Harness, many } from '../support/harness.ts';
import { EVENT_KINDS } from '../support/event-schemas.ts';
import { until } from '../support/until.ts';
import { EventStream } from '../http/event-stream.ts';
import { HttpHarness, type Client } from '../http/support.ts';

let harness: Harness;
let http: HttpHarness;
let client: Client;
let redis: Redis;
let campaignId: string;
beforeAll(async () => {
  harness = await Harness.open();
  await harness.startWorker();
  http = await HttpHarness.start(harness);
  client = await http.client();
  redis = new Redis(harness.config.queue.redisUrl);
});
afterAll(async () => {
  await redis.quit();
  await http.close();
  await harness.close();
});
beforeEach(async () => {
  campaignId = await harness.seedCampaign(2, { selfAssign: { enabled: true } });
});

const ofCampaign = (): string => `/v1/campaigns/${campaignId}/events`;
const reassignAll = { from: 'pool', to: 'everyone', status: 'any' } as const;

async function reassign(count?: number): Promise<string> {
  const operationId = harness.newId('op');
  const sent = await harness.producer.reassign({ ...reassignAll, operationId, campaignId, ...(count && { count }) });
  await sent.result();
  return operationId;
}

const stateOf = (operationId: string, state: string) => (data: Record<string, unknown>) =>
  (data['operations'] as { operationId: string; state: string }[]).some(
    (each) => each.operationId === operationId && each.state === state,
  );

/** The number of conversations in the pool, in a snapshot or in counts. */
function poolOf(data: Record<string, unknown>): number | undefined {
  const counts = (data['counts'] ?? data) as { readonly pool?: { readonly total: number } };
  return counts.pool?.total;
}

describe('the events of a campaign', () => {
  it('are a snapshot, then operations, the ids that texters gain and lose, and counts, each with its version', async () => {
    const ids = await harness.seedConversations(campaignId, many(4));
    const stream = await EventStream.open(client, ofCampaign());
    const { data: snapshot } = await stream.next('snapshot');
    expect(snapshot).toMatchObject({ counts: { pool: { total: 4 }, senders: [{ texterId: 't1', total: 0 }, {}] } });
    const operationId = await reassign();
    const { data } = await stream.next('changes', stateOf(operationId, 'done'));
    const changes = stream.events.filter(({ event }) => event === 'changes').map((each) => each.data);
    const gained = changes.flatMap((each) => each['texters'] as { texterId: string; gained: string[] }[]);
    expect(new Set(gained.flatMap((each) => each.gained))).toEqual(new Set(ids));
    expect(data).toMatchObject({ many: [] });
    for (const [at, each] of changes.entries()) {
      if (at > 0) expect(each['previous']).toBe(changes[at - 1]?.['version']);
    }
    await stream.next('counts', ({ pool }) => (pool as { total: number }).total === 0);
    const { headers } = stream.response;
    expect(headers.get('content-type')).toContain('text/event-stream');
    expect(headers.get('x-accel-buffering')).toBe('no');
    expect(headers.get('cache-control')).toContain('no-transform');
    expect(stream.others[0]).toMatch(/^retry: \d{4}$/);
    stream.close();
  });

  it('show what each texter of a round of claims has gained in one event', async () => {
    const ids = await harness.seedConversations(campaignId, many(4));
    const stream = await EventStream.open(client, ofCampaign());
    await stream.next('snapshot');
    const claims = ['t1', 't2'].map(async (texterId) => {
      const sent = await harness.producer.selfAssign({
        ...{ operationId: harness.newId('claim'), campaignId, texterId, count: 2 },
      });
      return (await sent.result()).conversationIds;
    });
    const granted = await Promise.all(claims);
    const gained = () =>
      stream.events
        .filter(({ event }) => event === 'changes')
        .flatMap(({ data }) => data['texters'] as { texterId: string; gained: string[] }[])
        .flatMap((each) => each.gained);
    await until('all ids', () => gained().length === 4);
    expect(new Set(gained())).toEqual(new Set(ids));
    expect(new Set(granted.flat())).toEqual(new Set(ids));
    stream.close();
  });

  it('continue on another server after the last event that the client has received', async () => {
    await harness.seedConversations(campaignId, many(6));
    const stream = await EventStream.open(client, ofCampaign());
    await stream.next('snapshot');
    const first = await reassign(2);
    await stream.next('changes', stateOf(first, 'done'));
    const lastId = stream.lastId ?? '';
    stream.close();
    const second = await reassign(2);
    const other = await HttpHarness.start(harness);
    try {
      const again = await EventStream.open(
        { ...client, address: other.server.address } as Client,
        ofCampaign(),
        lastId,
      );
      await again.next('changes', stateOf(second, 'done'));
      const third = await reassign(2);
      await again.next('changes', stateOf(third, 'done'));
      expect(again.names).not.toContain('snapshot');
      expect(again.names).not.toContain('reset');
      const changes = again.events.filter(({ event }) => event === 'changes').map(({ data }) => data);
      expect(changes[0]?.['previous']).toBe(Number(lastId.split(':')[1]));
      again.close();
    } finally {
      await other.close();
    }
  });

  it('say reset and send a snapshot when events after the last one are gone, or its id is unknown', async () => {
    await harness.seedConversations(campaignId, many(6));
    const stream = await EventStream.open(client, ofCampaign());
    const { id = '' } = await stream.next('snapshot');
    stream.close();
    await reassign(2);
    await reassign(2);
    const key = streamKey(harness.config.queue.prefix, campaignId);
    await until('the events', async () => (await redis.xlen(key)) > 1);
    await redis.xtrim(key, 'MAXLEN', 1);
    for (const lastId of [id, '1-0:5', 'hello', '99999999999999-0:1']) {
      const again = await EventStream.open(client, ofCampaign(), lastId);
      await again.next('snapshot');
      expect(again.names.slice(0, 2)).toEqual(['reset', 'snapshot']);
      await until('the counts', () => again.events.some(({ data }) => poolOf(data) === 2));
      again.close();
    }
  });

  it('say reset when the stream is lost while it is watched', async () => {
    await harness.seedConversations(campaignId, many(6));
    const stream = await EventStream.open(client, ofCampaign());
    await stream.next('changes', stateOf(await reassign(2), 'done'));
    await redis.del(streamKey(harness.config.queue.prefix, campaignId));
    await reassign(2);
    const { data } = await stream.next('reset');
    expect(data).toEqual({ reason: 'events-lost' });
    await until('the snapshot', () => stream.names.lastIndexOf('snapshot') > stream.names.indexOf('reset'));
    const third = await reassign(2);
    await stream.next('changes', stateOf(third, 'done'));
    stream.close();
  });

  it.each(['the stream', 'its newest change'])(
    'begin for a client that comes after Redis has lost %s, and nobody is reset more than once',
    async (lost) => {
      await harness.seedConversations(campaignId, many(8));
      const stream = await EventStream.open(client, ofCampaign());
      await reassign(2);
      await stream.next('changes', stateOf(await reassign(2), 'done'));
      const key = streamKey(harness.config.queue.prefix, campaignId);
      const [newest] = await redis.xrevrange(key, '+', '-', 'COUNT', 1);
      await (lost === 'the stream' ? redis.del(key) : redis.xdel(key, newest?.[0] ?? ''));
      const late = await EventStream.open(client, ofCampaign());
      await late.next('snapshot');
      const after = await reassign(2);
      await stream.next('reset');
      await until('the snapshot', () => stream.names.lastIndexOf('snapshot') > stream.names.indexOf('reset'));
      // It may have begun with a shared snapshot from before the lost change, and be reset when it reaches the gap.
      await until('the operation', () =>
        late.events.some(({ data }) => 'operations' in data && stateOf(after, 'done')(data)),
      );
      for (const each of [stream, late]) {
        expect(each.names.filter((name) => name === 'reset').length).toBeLessThan(2);
        each.close();
      }
    },
  );

  it('continue when the stream of another watched campaign, or their own, is replaced by another value', async () => {
    await harness.seedConversations(campaignId, many(6));
    const damagedId = await harness.seedCampaign(2);
    await harness.seedConversations(damagedId, many(2));
    const stream = await EventStream.open(client, ofCampaign());
    const damaged = await EventStream.open(client, `/v1/campaigns/${damagedId}/events`);
    for (const each of [stream, damaged]) await each.next('snapshot');
    await redis.set(streamKey(harness.config.queue.prefix, damagedId), 'damaged');
    await stream.next('changes', stateOf(await reassign(2), 'done'));
    await redis.set(streamKey(harness.config.queue.prefix, damagedId), 'damaged');
    const late = await EventStream.open(client, `/v1/campaigns/${damagedId}/events`);
    await late.next('snapshot');
    const operationId = harness.newId('op');
    await harness.producer.reassign({ ...reassignAll, operationId, campaignId: damagedId });
    for (const each of [damaged, late]) await each.next('changes', stateOf(operationId, 'done'));
    for (const each of [stream, damaged, late]) each.close();
  });

  it('are refused for the campaign of another organisation, as one that does not exist', async () => {
    const problem = await client.problem('GET', '/v1/campaigns/nowhere/events');
    expect(problem).toMatchObject({ status: 404, code: 'not-found' });
  });

  it('end when the key is revoked', async () => {
    const revoked = await http.client();
    const stream = await EventStream.open(revoked, ofCampaign());
    await stream.next('snapshot');
    const { keyId = '' } = parseKey(revoked.key ?? '') ?? {};
    await new Cli(cliEnv(harness.config)).json(['key', 'revoke', keyId]);
    expect((await stream.next('bye')).data).toEqual({ reason: 'access-ended' });
    await until('the end', () => stream.hasEnded);
  });

  it('end with bye when the server stops, which takes no longer than without them', async () => {
    const other = await HttpHarness.start(harness);
    const watched = { ...client, address: other.server.address } as Client;
    const streams = await Promise.all([1, 2, 3].map(() => EventStream.open(watched, ofCampaign())));
    await Promise.all(streams.map((stream) => stream.next('snapshot')));
    expect(await other.server.close()).toBe('closed');
    for (const stream of streams) expect((await stream.next('bye')).data).toEqual({ reason: 'server-stops' });
  });
});

describe('the events of a texter', () => {
  it('begin with reset for an unknown event id', async () => {
    const { body } = await client.post<{ token: string }>(`/v1/campaigns/${campaignId}/texters/t1/tokens`);
    const stream = await EventStream.open({ ...client, key: body.token } as Client, '/v1/me/events', 'x');
    await stream.next('snapshot');
    expect(stream.names).toEqual(['reset', 'snapshot']);
    stream.close();
  });

  it('show only what the texter gains, loses and claims, and end when the token is revoked', async () => {
    await harness.seedConversations(campaignId, many(6));
    const texters = `/v1/campaigns/${campaignId}/texters`;
    const { body } = await client.post<{ token: string }>(`${texters}/t1/tokens`);
    const me = { ...client, key: body.token } as Client;
    const stream = await EventStream.open(me, '/v1/me/events');
    await stream.next('snapshot');
    const claims = ['t2', 't1'].map(async (texterId) => {
      const operationId = harness.newId('claim');
      const sent = await harness.producer.selfAssign({ operationId, campaignId, texterId, count: 2 });
      return (await sent.result()).conversationIds;
    });
    const [theirs = [], mine = []] = await Promise.all(claims);
    const { data } = await stream.next('changes', ({ gained }) => (gained as string[]).length > 0);
    expect(data).toMatchObject({ lost: [], many: [], claims: [{ state: 'done', moved: 2 }] });
    expect(new Set(data['gained'] as string[])).toEqual(new Set(mine));
    await reassign();
    await stream.next('changes', ({ version }) => version !== data['version']);
    const text = JSON.stringify(stream.events);
    for (const secret of ['t2', ...theirs]) expect(text).not.toContain(secret);
    const more = await Promise.allSettled(Array.from({ length: 5 }, () => EventStream.open(me, '/v1/me/events')));
    expect(more.map(({ status }) => status).filter((status) => status === 'rejected')).toHaveLength(1);
    for (const each of more) if (each.status === 'fulfilled') each.value.close();
    await client.post(`${texters}/t1/tokens/revoke`);
    expect((await stream.next('bye')).data).toEqual({ reason: 'access-ended' });
  });
});

describe('the events of an operation', () => {
  const ofOperation = (operationId: string): string => `/v1/campaigns/${campaignId}/operations/${operationId}/events`;

  it('are its progress and its end with the receipt, and then the stream ends', async () => {
    await harness.seedConversations(campaignId, many(500));
    const operationId = harness.newId('op');
    await harness.producer.reassign({ ...reassignAll, operationId, campaignId });
    const stream = await EventStream.open(client, ofOperation(operationId));
    const { data } = await stream.next('end');
    expect(data).toMatchObject({ operation: { operationId, state: 'done', receipt: { moved: 500 } } });
    await until('the end', () => stream.hasEnded);
    expect(stream.names.at(-1)).toBe('end');
    expect(stream.names[0]).toMatch(/snapshot|end/);
  });

  it('are the end alone for an operation that has ended', async () => {
    await harness.seedConversations(campaignId, many(2));
    const stream = await EventStream.open(client, ofOperation(await reassign()));
    await until('the end', () => stream.hasEnded);
    expect(stream.names).toEqual(['end']);
    stream.close();
  });

  it('show how far it has come while it runs, and say bye or reset as other streams do', async () => {
    await harness.seedConversations(campaignId, many(20_000));
    const operationId = harness.newId('op');
    await harness.producer.reassign({ ...reassignAll, operationId, campaignId });
    const other = await HttpHarness.start(harness);
    const stream = await EventStream.open(
      { ...client, address: other.server.address } as Client,
      ofOperation(operationId),
      'x',
    );
    const { data } = await stream.next('progress');
    expect(data).toMatchObject({ state: 'running' });
    expect(stream.names.slice(0, 2)).toEqual(['reset', 'snapshot']);
    await other.close();
    await stream.next('bye');
  });
});

it('sends every kind of event that the document describes', () => {
  expect([...EventStream.kinds].sort()).toEqual([...EVENT_KINDS].sort());
});
