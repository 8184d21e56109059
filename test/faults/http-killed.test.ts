import getPort from 'get-port';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { createKey, SCOPES } from '../../src/access/index.ts';
import { isEnded } from '../../src/domain/operation.ts';
import { DEFAULT_ORGANISATION } from '../../src/domain/id-rules.ts';
import { EventStream } from '../http/event-stream.ts';
import { Client } from '../http/support.ts';
import { audit } from '../support/audit/audit.ts';
import { Harness, many } from '../support/harness.ts';
import { until } from '../support/until.ts';
import { WorkerProcess } from '../support/worker-process.ts';

const TEXTERS = 4;
const CONVERSATIONS = 400;
const KILLS = 3;
/** The server works for this long between two faults. */
const ALIVE_MS = 1_500;
const RULES = { enabled: true, batchMax: 300, openMax: 300, repliesMax: null };

describe('an HTTP server under load', { timeout: 180_000 }, () => {
  let harness: Harness;
  let server: WorkerProcess;
  let client: Client;
  let port: number;
  let campaignId: string;
  let ids: readonly string[];
  let isOver: boolean;
  let requested: Set<string>;
  beforeEach(async () => {
    harness = await Harness.open();
    await harness.startWorker();
    campaignId = await harness.seedCampaign(TEXTERS, { selfAssign: RULES });
    ids = await harness.seedConversations(campaignId, many(CONVERSATIONS));
    port = await getPort();
    isOver = false;
    requested = new Set();
    const { text } = await createKey(harness.context, {
      ...{ organisationId: DEFAULT_ORGANISATION, name: 'app', scopes: SCOPES },
    });
    client = new Client(`http://127.0.0.1:${port}`, text);
    await start();
  });
  afterEach(async () => {
    isOver = true;
    if (!server.hasEnded) await server.kill();
    await harness.close();
  });

  async function start(): Promise<void> {
    server = WorkerProcess.begin(harness, { BATON_HTTP_PORT: String(port) }, { main: 'src/http/main.ts' });
    await until('the server', () => server.logText.includes('HTTP server ready'));
  }

  const path = (rest: string): string => `/v1/campaigns/${campaignId}/${rest}`;

  /** Sends requests, one after the other. A request without an answer is sent again, as a client does. */
  async function load(send: (operationId: string) => Promise<{ status: number }>, answered: string[]): Promise<void> {
    while (!isOver) {
      const operationId = harness.newId('op');
      requested.add(operationId);
      await until('an answer', async () => {
        const status = await send(operationId).then(
          (answer) => answer.status,
          () => 0,
        );
        if (status === 200 || status === 202) answered.push(operationId);
        else if (status !== 0 && status !== 503) throw new Error(`the server answered ${status}`);
        return status === 200 || status === 202 || isOver;
      });
    }
  }

  function mixedLoad(answered: string[]): Promise<unknown> {
    const body = { kind: 'reassign', from: 'everyone', to: 'everyone', status: 'any', count: 20 };
    const operation = (key: string) => client.post(path('operations'), body, { 'idempotency-key': key });
    const waited = (key: string) => client.post(path('operations'), body, { 'idempotency-key': key, prefer: 'wait=5' });
    const claim = (key: string) =>
      client.post(path('claims'), { texterId: 't1', count: 1 }, { 'idempotency-key': key, prefer: 'wait=5' });
    const read = () => client.get(path('senders'));
    const reads: string[] = [];
    return Promise.all([
      ...[operation, waited, claim, claim].map((send) => load(send, answered)),
      ...[read, read].map((send) => load(send, reads)),
    ]);
  }

  it('that is killed and restarted loses no request that it has answered, and runs none twice', async () => {
    const answered: string[] = [];
    const loading = mixedLoad(answered);
    for (let kills = 0; kills < KILLS; kills += 1) {
      const before = answered.length;
      await until('answers', () => answered.length > before + 5);
      await new Promise((resolve) => setTimeout(resolve, ALIVE_MS));
      await server.kill();
      await start();
    }
    isOver = true;
    await loading;
    const { operations } = harness.context.database;
    await until('the end of all operations', async () => {
      const states = await operations.find({ campaignId }, { projection: { state: 1 } }).toArray();
      return states.length >= answered.length && states.every(({ state }) => isEnded(state));
    });
    const stored = await operations.find({ _id: { $in: answered } }).toArray();
    expect(stored.map(({ _id }) => _id).sort()).toEqual(answered.toSorted());
    const texterIds = Array.from({ length: TEXTERS }, (_, at) => `t${at + 1}`);
    const campaign = { campaignId, texterIds, rules: RULES, assignees: new Map(ids.map((id) => [id, null])) };
    const sent = (await operations.find({ campaignId }).toArray())
      .filter(({ _id }) => requested.has(_id))
      .map(({ _id: operationId, error, receipt }) => {
        const answer = receipt ? { receipt } : { code: error?.code ?? '' };
        return { operationId, campaignId, answers: [answer] };
      });
    expect((await audit(harness, [campaign], sent)).violations).toEqual([]);
  });

  it('that receives SIGTERM is not ready first, then finishes its requests, ends its streams and exits', async () => {
    const stream = await EventStream.open(client, path('events'));
    await stream.next('snapshot');
    // It waits for more conversations than there are.
    const waiting = client.post(
      path('claims'),
      { texterId: 't2', count: 300, waitMs: 60_000 },
      { 'idempotency-key': harness.newId('op'), prefer: 'wait=30' },
    );
    await client.post(path('claims'), { texterId: 't1', count: 300 }, { 'idempotency-key': harness.newId('op') });
    const answered: string[] = [];
    const loading = mixedLoad(answered);
    await until('answers', () => answered.length > 5);
    server.signal('SIGTERM');
    await until('a server that is not ready', async () => {
      const { status, body } = await client.get('/readyz');
      if (status === 503) expect(body).toEqual({ ready: false, missing: ['stopping'] });
      return status === 503;
    });
    expect([200, 202]).toContain((await waiting).status);
    expect((await stream.next('bye')).data).toEqual({ reason: 'server-stops' });
    expect(await server.exitCode()).toBe(0);
    isOver = true;
    await loading;
    const log = server.logText;
    expect(log.split('\n').filter((line) => /"status":5(?!03)\d\d/.test(line))).toEqual([]);
  });
});
