import getPort from 'get-port';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { createKey, createOrganisation, SCOPES } from '../../src/access/index.ts';
import { isEnded } from '../../src/domain/operation.ts';
import { EventStream, type Received } from '../http/event-stream.ts';
import { Client } from '../http/support.ts';
import { audit } from '../support/audit/audit.ts';
import { Harness, many } from '../support/harness.ts';
import { until } from '../support/until.ts';
import { WorkerProcess } from '../support/worker-process.ts';

const TEXTERS = 3;
const CONVERSATIONS = 200;
const KILLS = 2;
const RULES = { enabled: true, batchMax: 300, openMax: 300, repliesMax: null };
const DEAL = { kind: 'reassign', from: 'everyone', to: 'everyone', status: 'any', count: 20 };

/** An organisation with a campaign. All have the same ids of campaigns, texters and operations. */
interface Tenant {
  readonly client: Client;
  readonly campaignId: string;
  readonly conversationIds: readonly string[];
  /** The stored ids of the operations that were answered. */
  readonly answered: string[];
  /** What the watcher has received, over all its connections. */
  readonly received: Received[];
}

describe('an HTTP server of several organisations', { timeout: 180_000 }, () => {
  let harness: Harness;
  let server: WorkerProcess;
  let port: number;
  let tenants: readonly Tenant[];
  let isOver: boolean;
  beforeEach(async () => {
    harness = await Harness.open();
    await harness.startWorker();
    port = await getPort();
    isOver = false;
    tenants = await Promise.all(['acme', 'other'].map(newTenant));
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

  async function newTenant(organisationId: string): Promise<Tenant> {
    await createOrganisation(harness.context, organisationId, organisationId);
    const campaignId = await harness.seedCampaign(TEXTERS, { campaignId: `${organisationId}~c1`, selfAssign: RULES });
    const conversationIds = await harness.seedConversations(campaignId, many(CONVERSATIONS));
    const { text } = await createKey(harness.context, { organisationId, name: 'app', scopes: SCOPES });
    const client = new Client(`http://127.0.0.1:${port}`, text);
    return { client, campaignId, conversationIds, answered: [], received: [] };
  }

  /** Sends operations or claims one after the other. One without an answer is sent again, as a client does. */
  async function load({ client, campaignId, answered }: Tenant, route: string, body: object): Promise<void> {
    for (let number = 1; !isOver; number += 1) {
      const key = `${route}-${number}`;
      const headers = { 'idempotency-key': key, prefer: 'wait=5' };
      await until('an answer', async () => {
        const sent = client.post(`/v1/campaigns/c1/${route}`, body, headers);
        const status = await sent.then(
          (answer) => answer.status,
          () => 0,
        );
        if (![0, 200, 202, 503].includes(status)) throw new Error(`the server answered ${status}`);
        if (status === 200 || status === 202) answered.push(campaignId.replace('c1', key));
        return status === 200 || status === 202 || isOver;
      });
    }
  }

  /** Watches the campaign. After a lost connection, the watcher continues after its last event. */
  async function watch({ client, received }: Tenant): Promise<void> {
    while (!isOver) {
      const lastId = received.findLast(({ id }) => id !== undefined)?.id;
      const stream = await EventStream.open(client, '/v1/campaigns/c1/events', lastId).catch(() => undefined);
      await until('the end of the stream', () => stream?.hasEnded !== false || isOver);
      received.push(...(stream?.events ?? []));
      stream?.close();
    }
  }

  it('that is killed mixes up nothing of two organisations with the same ids, and their streams continue', async () => {
    const running = tenants.flatMap((tenant) => [
      load(tenant, 'operations', DEAL),
      load(tenant, 'claims', { texterId: 't1', count: 1 }),
      watch(tenant),
    ]);
    for (let kills = 0; kills < KILLS; kills += 1) {
      const before = tenants.map(({ answered }) => answered.length);
      await until('answers', () => tenants.every(({ answered }, at) => answered.length > (before[at] ?? 0) + 10));
      await server.kill();
      await start();
    }
    await until('answers after the last start', () => tenants.every(({ received }) => received.length > 0));
    isOver = true;
    await Promise.all(running);
    for (const tenant of tenants) await expectOwn(tenant);
  });

  async function expectOwn({ campaignId, conversationIds, answered, received }: Tenant): Promise<void> {
    const { operations } = harness.context.database;
    const find = () => operations.find({ campaignId }).toArray();
    await until('the end of all operations', async () => (await find()).every(({ state }) => isEnded(state)));
    const stored = await find();
    expect(stored.map(({ _id }) => _id)).toEqual(expect.arrayContaining(answered));
    const texterIds = Array.from({ length: TEXTERS }, (_, at) => `t${at + 1}`);
    const campaign = {
      campaignId,
      texterIds,
      rules: RULES,
      assignees: new Map(conversationIds.map((id) => [id, null])),
    };
    const sent = stored.map(({ _id: operationId, error, receipt }) => {
      const answer = receipt ? { receipt } : { code: error?.code ?? '' };
      return { operationId, campaignId, answers: [answer] };
    });
    expect((await audit(harness, [campaign], sent)).violations).toEqual([]);
    expectContinuous(received);
    expect(idsIn(received).filter((id) => !conversationIds.includes(id))).toEqual([]);
  }
});

/** Each change follows the event before it, unless the server says that events are missing. */
function expectContinuous(received: readonly Received[]): void {
  let version: unknown;
  for (const { event, data } of received) {
    if (event === 'changes') expect({ previous: data['previous'] }).toEqual({ previous: version });
    if (event === 'changes' || event === 'snapshot') version = data['version'];
  }
  expect(received.filter(({ event }) => event === 'changes').length).toBeGreaterThan(5);
}

/** The conversations that the texters have gained and lost. */
function idsIn(received: readonly Received[]): string[] {
  return received.flatMap(({ data }) => {
    const texters = (data['texters'] ?? []) as readonly { readonly gained: string[]; readonly lost: string[] }[];
    return texters.flatMap(({ gained, lost }) => [...gained, ...lost]);
  });
}
