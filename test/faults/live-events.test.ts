import { connect, type Socket } from 'node:net';
import { Redis } from 'ioredis';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { startRedis } from '../../dev/services/services.ts';
import { ChangeDraft } from '../../src/events/change.ts';
import { append } from '../../src/events/live-stream.ts';
import { ChangePublisher, streamKey } from '../../src/events/index.ts';
import { requestHash } from '../../src/domain/requests.ts';
import { parseRequest, runOperation } from '../../src/operations/index.ts';
import { connectProducer } from '../../src/queue/connection.ts';
import { LiveChanges } from '../../workers/live-changes.ts';
import { EventStream } from '../http/event-stream.ts';
import { HttpHarness, type Client } from '../http/support.ts';
import { Harness, many } from '../support/harness.ts';
import { describeWith, OWN_REDIS } from '../support/needs.ts';
import { TcpProxy } from '../support/tcp-proxy.ts';
import { until } from '../support/until.ts';

const WATCHERS = 200;
/** More than the buffers of two sockets. */
const LARGE_CHANGES = 4_000;

describeWith(OWN_REDIS)('events about a campaign', () => {
  let server: Awaited<ReturnType<typeof startRedis>>;
  let harness: Harness;
  let http: HttpHarness;
  let client: Client;
  let redis: Redis;
  let campaignId: string;
  beforeEach(async () => {
    server = await startRedis();
    harness = await Harness.open({}, { mongodbUri: process.env['MONGODB_URI'] ?? '', redisUrl: server.url });
    await harness.startWorker();
    http = await HttpHarness.start(harness);
    client = await http.client();
    redis = new Redis(server.url);
    redis.on('error', () => undefined);
    campaignId = await harness.seedCampaign(2);
  });
  afterEach(async () => {
    redis.disconnect();
    await http.close();
    await harness.close();
    await server.stop();
  });

  const path = (): string => `/v1/campaigns/${campaignId}/events`;
  const reassign = { kind: 'reassign', from: 'pool', to: 'everyone', status: 'any' } as const;

  /** Sends an operation until it has ended. */
  async function move(count: number): Promise<string> {
    const operationId = harness.newId('op');
    await until('the end', async () => {
      const sent = await harness.producer
        .reassign({ ...reassign, operationId, campaignId, count })
        .catch(() => undefined);
      return (await sent?.result().catch(() => undefined)) !== undefined;
    });
    return operationId;
  }

  /** Counts the connections that wait for events. */
  async function countReads(): Promise<number> {
    const clients = String(await redis.client('LIST')).split('\n');
    // Producers wait for results with reads of their own, whose connections BullMQ names.
    const reads = clients.filter((each) => each.includes('cmd=xread ') && !/ name=\S*:qe /.test(each));
    return reads.filter((each) => / flags=\w*b/.test(each)).length;
  }

  const shows = (operationId: string) => (data: Record<string, unknown>) => JSON.stringify(data).includes(operationId);

  it('come for the other operations when the database has a damaged one, and one of a newer release', async () => {
    await harness.seedConversations(campaignId, many(3));
    const [damaged, newer, known] = [await move(1), await move(1), await move(1)];
    const { operations } = harness.context.database;
    await operations.updateOne({ _id: damaged }, { $set: { 'receipt.moved': '1' } });
    await operations.updateOne({ _id: newer }, { $set: { 'request.kind': 'swap' } });
    const watching = await EventStream.open(client, path());
    const { data } = await watching.next('snapshot');
    const shown = data['operations'] as { operationId: string }[];
    expect(shown.map(({ operationId }) => operationId)).toEqual([known]);
    watching.close();
  });

  it('reach two hundred clients over one connection to Redis', async () => {
    await harness.seedConversations(campaignId, many(4));
    const first = await EventStream.open(client, path());
    await first.next('snapshot');
    const connections = async (): Promise<number> =>
      String(await redis.client('LIST'))
        .trim()
        .split('\n').length;
    const before = await connections();
    const streams = await Promise.all(Array.from({ length: WATCHERS }, () => EventStream.open(client, path())));
    // A snapshot that is read later has the change already, and no event follows.
    for (const stream of streams) await stream.next('snapshot');
    expect(await connections()).toBe(before);
    await until('one waiting read', async () => (await countReads()) === 1);
    const operationId = await move(2);
    for (const stream of streams) await stream.next('changes', shows(operationId));
    for (const stream of [first, ...streams]) stream.close();
    await until('no waiting read', async () => (await countReads()) === 0);
  });

  it('of thousands of moved conversations are few and small, and say that they are many', async () => {
    await harness.seedConversations(campaignId, many(5_000));
    const stream = await EventStream.open(client, path());
    await stream.next('snapshot');
    const operationId = await move(5_000);
    await stream.next('changes', (data) =>
      JSON.stringify(data).includes(`${operationId}","kind":"reassign","state":"done"`),
    );
    const changes = stream.events.filter(({ event }) => event === 'changes').map(({ data }) => data);
    expect(changes.length).toBeLessThan(40);
    expect(changes.some(({ many: omitted }) => (omitted as string[]).includes('conversations'))).toBe(true);
    for (const each of changes) expect(JSON.stringify(each).length).toBeLessThan(8_000);
    stream.close();
  });

  it('continue after Redis was killed and restarted', async () => {
    await harness.seedConversations(campaignId, many(8));
    const stream = await EventStream.open(client, path());
    await stream.next('changes', shows(await move(2)));
    await server.kill('SIGKILL');
    await server.restart();
    const operationId = await move(2);
    await until('the operation', () =>
      stream.events.some(({ event, data }) => event !== 'counts' && shows(operationId)(data)),
    );
    expect(stream.hasEnded).toBe(false);
    stream.close();
  });

  it('continue after Redis has been silent', async () => {
    await harness.seedConversations(campaignId, many(8));
    const stream = await EventStream.open(client, path());
    await stream.next('changes', shows(await move(2)));
    await server.kill('SIGSTOP');
    await new Promise((resolve) => setTimeout(resolve, 8_000));
    await server.kill('SIGCONT');
    const operationId = await move(2);
    await until('the operation', () =>
      stream.events.some(({ event, data }) => event !== 'counts' && shows(operationId)(data)),
    );
    stream.close();
  });

  it('are not kept for a client that does not read, which is reset when it reads again', async () => {
    const { hostname, port } = new URL(client.address);
    const socket: Socket = connect(Number(port), hostname);
    const pieces: string[] = [];
    socket.on('data', (piece: Buffer) => pieces.push(piece.toString()));
    socket.write(`GET ${path()} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer ${client.key}\r\n\r\n`);
    await until('the snapshot', () => pieces.join('').includes('event: snapshot'));
    const watching = await EventStream.open(client, path());
    await watching.next('snapshot');
    socket.pause();
    const key = streamKey(harness.config.queue.prefix, campaignId);
    const draft = new ChangeDraft();
    draft.addMoves([{ from: null, to: 't1', conversationIds: Array.from({ length: 200 }, () => 'a'.repeat(24)) }]);
    const before = process.memoryUsage().rss;
    for (let change = 0; change < LARGE_CHANGES; change += 1) await append(redis, key, draft.toChange());
    await until('the last event', () => {
      const changes = watching.events.filter(({ event }) => event === 'changes');
      return changes.length >= LARGE_CHANGES || watching.names.includes('reset');
    });
    // The other client keeps what it has received in the memory of this process too.
    expect(process.memoryUsage().rss - before).toBeLessThan(200 * 1024 * 1024);
    socket.resume();
    await until('the reset', () => pieces.join('').includes('"reason":"slow-client"'));
    await until('the snapshot', () => pieces.join('').split('event: snapshot').length > 2);
    socket.destroy();
    watching.close();
  });

  it('cost a move no time when they cannot be written: it ends, and the next event says that some are lost', async () => {
    const proxy = await TcpProxy.before(server.url);
    const silent = connectProducer(proxy.url, () => undefined);
    const live = new ChangePublisher({ redis: silent, prefix: harness.config.queue.prefix, onError: () => undefined });
    try {
      await until('the connection', () => silent.status === 'ready');
      await harness.seedConversations(campaignId, many(400));
      const stream = await EventStream.open(client, path());
      await stream.next('snapshot');
      proxy.silence();
      const request = parseRequest({ ...reassign, operationId: harness.newId('op'), campaignId });
      const changes = new LiveChanges(live);
      const limits = { batchConversationsMax: 10, batchesInFlightMax: 2 };
      const controls = { limits, shouldStop: () => false, ...changes.duringSlice(request, () => undefined) };
      const command = { request, requestHash: requestHash(request), sendId: 'test' };
      const ended = await runOperation(harness.context, command, controls);
      changes.afterSlice(ended, true);
      expect(ended).toMatchObject({ kind: 'ended', operation: { state: 'done', receipt: { moved: 400 } } });
      // Nothing has been written or given up: the operation has not waited for the time limit of a write.
      expect(live.counts.written).toBe(0);
      await until('a lost write', () => live.counts.lost > 0);
      proxy.back();
      const { data } = await stream.next('reset');
      expect(data).toEqual({ reason: 'events-lost' });
      stream.close();
    } finally {
      await live.close(500);
      silent.disconnect();
      await proxy.close();
    }
  });
});
