import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { optOut, sourceOf } from '../../src/contacts/index.ts';
import { withLimit } from '../../src/http/streams/import-rows.ts';
import { IMPORT_BYTES_MAX } from '../../src/http/streams/bodies.ts';
import { Harness } from '../support/harness.ts';
import { phoneOf } from '../support/phones.ts';
import { until } from '../support/until.ts';
import { HttpHarness, type Client } from './support.ts';

let harness: Harness;
let http: HttpHarness;
let client: Client;
beforeAll(async () => {
  harness = await Harness.open();
  http = await HttpHarness.start(harness);
  client = await http.client();
});
afterAll(async () => {
  await http.close();
  await harness.close();
});

interface Imported {
  readonly rows: number;
  readonly added: number;
  readonly alreadyThere: number;
  readonly optedOut: number;
  readonly rejectedCount: number;
  readonly rejected: readonly { readonly line: number; readonly field: string | null; readonly reason: string }[];
}

const row = (index: number, fields: object = {}): object => ({ name: `N${index}`, phone: phoneOf(index), ...fields });
const linesOf = (rows: readonly object[]): string => rows.map((each) => `${JSON.stringify(each)}\n`).join('');

/** Sends a body as it is. */
async function send(campaignId: string, body: string, { type = 'application/x-ndjson', query = '' } = {}) {
  const response = await fetch(`${http.server.address}/v1/campaigns/${campaignId}/conversations${query}`, {
    method: 'POST',
    headers: { authorization: `Bearer ${client.key}`, 'content-type': type },
    body,
  });
  return { status: response.status, body: (await response.json()) as Imported & { code?: string; detail?: string } };
}

/** Sends the head of a request, and the beginning of its body. */
function begin(campaignId: string, headers: Readonly<Record<string, string>>, body = ''): Socket {
  const { port, hostname } = new URL(http.server.address);
  const socket = connect(Number(port), hostname);
  const all = { host: 'x', authorization: `Bearer ${client.key}`, 'content-type': 'application/x-ndjson', ...headers };
  const lines = Object.entries(all).map(([name, value]) => `${name}: ${value}\r\n`);
  socket.write(`POST /v1/campaigns/${campaignId}/conversations HTTP/1.1\r\n${lines.join('')}\r\n${body}`);
  return socket;
}

/** Returns the answer to the head of a request whose body never comes. */
async function started(campaignId: string, headers: Readonly<Record<string, string>>): Promise<string> {
  const socket = begin(campaignId, headers);
  const [answer] = (await once(socket, 'data')) as [Buffer];
  socket.destroy();
  return answer.toString();
}

const countIn = (campaignId: string) => harness.context.database.conversations.countDocuments({ campaignId });

describe('the bulk upsert of conversations', () => {
  it('adds the rows of NDJSON once, and adds nothing when the same rows are sent again', async () => {
    const campaignId = await harness.seedCampaign(2);
    const rows = [row(1, { externalId: 'v1', status: 'needs-reply', assigneeId: 't1' }), row(2), row(1), row(3)];
    expect(await send(campaignId, linesOf(rows))).toMatchObject({
      status: 200,
      body: { rows: 4, added: 3, alreadyThere: 1, rejectedCount: 0, rejected: [] },
    });
    expect(await send(campaignId, linesOf(rows))).toMatchObject({ body: { added: 0, alreadyThere: 4 } });
    const stored = await harness.context.database.conversations.findOne({ campaignId, externalId: 'v1' });
    expect(stored).toMatchObject({
      assigneeId: 't1',
      status: 'needs-reply',
      contact: { name: 'N1', phone: phoneOf(1) },
    });
  });

  it('takes a JSON array too', async () => {
    const campaignId = await harness.seedCampaign(0);
    const rows = [row(1), { colour: 'red' }, row(2)];
    const sent = await send(campaignId, JSON.stringify(rows), { type: 'application/json; charset=utf-8' });
    expect(sent).toMatchObject({ status: 200, body: { rows: 3, added: 2, rejected: [{ line: 2 }] } });
    expect(await send(campaignId, linesOf(rows))).toMatchObject({ body: { added: 0, alreadyThere: 2 } });
  });

  it('refuses only the rows that are wrong, and says for each which line and field it is', async () => {
    const campaignId = await harness.seedCampaign(1);
    const broken = [
      '{"name":"A","phone":',
      JSON.stringify(row(1)),
      '',
      '[]',
      JSON.stringify(row(2, { phone: '12' })),
      JSON.stringify(row(3, { assigneeId: 't9' })),
      JSON.stringify(row(4, { colour: 'red' })),
      JSON.stringify(row(5, { name: 5 })),
      `{"name":"${'x'.repeat(20_000)}"}`,
      JSON.stringify(row(6, { createdAt: 'yesterday' })),
      JSON.stringify(row(7)),
    ].join('\r\n');
    const { status, body } = await send(campaignId, broken);
    expect(status).toBe(200);
    expect(body).toMatchObject({ rows: 10, added: 2, rejectedCount: 8 });
    expect(body.rejected.map(({ line, field }) => [line, field])).toEqual([
      [1, null],
      [4, null],
      [5, 'phone'],
      [6, 'assigneeId'],
      [7, null],
      [8, null],
      [9, null],
      [10, 'createdAt'],
    ]);
    expect(JSON.stringify(body)).not.toContain('x'.repeat(10));
  });

  it('follows the rules of an import: external ids, opt-outs in rejected rows too, and paused texters', async () => {
    const campaignId = await harness.seedCampaign(2);
    await send(campaignId, linesOf([row(1, { externalId: 'v1' }), row(2), row(3)]));
    await optOut(harness.context, { campaignId, phone: phoneOf(3) });
    await client.post(`/v1/campaigns/${campaignId}/texters/pause`, { texterIds: ['t2'] });
    const rows = [
      row(4, { externalId: 'v1' }),
      row(2, { optedOut: true, name: 7 }),
      row(3, { optedOut: false }),
      row(5, { assigneeId: 't2' }),
    ];
    const { body } = await send(campaignId, linesOf(rows));
    expect(body).toMatchObject({ added: 0, alreadyThere: 1, optedOut: 1, rejectedCount: 3 });
    const reasons = new Map(body.rejected.map(({ line, reason }) => [line, reason]));
    expect(reasons.get(1)).toContain('belongs to a contact with another phone number');
    expect(reasons.get(1)).toContain('sharedIds=true');
    expect(reasons.get(4)).toContain('keepAssignees=true');
    const optedOut = harness.context.database.conversations.find({ campaignId, optedOut: true });
    expect((await optedOut.toArray()).map(({ contact }) => contact.phone).sort()).toEqual(
      [phoneOf(2), phoneOf(3)].sort(),
    );
    expect(await send(campaignId, linesOf(rows), { query: '?sharedIds=true&keepAssignees=true' })).toMatchObject({
      body: { added: 2, rejectedCount: 1 },
    });
  });

  it('answers every rejected row, however many they are', async () => {
    const campaignId = await harness.seedCampaign(1);
    const rows = Array.from({ length: 2_500 }, (_, index) => row(index, { status: 'started' }));
    const { body } = await send(campaignId, linesOf(rows));
    expect(body.rejectedCount).toBe(2_500);
    expect(body.rejected.map(({ line }) => line)).toEqual(rows.map((_, index) => index + 1));
  });

  it('changes nothing when the body as a whole is broken, doubtful, empty or too long', async () => {
    const campaignId = await harness.seedCampaign(1);
    const good = JSON.stringify(row(1));
    const array = { type: 'application/json' };
    for (const text of [`[${good}`, `[${good},]`, `[${good}]x`, good, `[${good}}]`, '', '[]']) {
      const { status, body } = await send(campaignId, text, array);
      expect({ text, status, code: body.code }).toEqual({ text, status: 400, code: 'bad-request' });
    }
    const foreign = Array.from({ length: 50 }, (_, index) => row(index, index % 2 === 0 ? { phone: '030 123' } : {}));
    const doubted = await send(campaignId, linesOf(foreign));
    expect(doubted).toMatchObject({ status: 409, body: { code: 'phones-doubted' } });
    expect(doubted.body.detail).toContain('acceptRejected=true');
    const length = { 'content-length': String(IMPORT_BYTES_MAX + 1) };
    expect(await started(campaignId, length)).toContain('"code":"body-too-large"');
    expect(await countIn(campaignId)).toBe(0);
    expect(await send(campaignId, linesOf(foreign), { query: '?acceptRejected=true' })).toMatchObject({
      body: { added: 25, rejectedCount: 25 },
    });
  });

  it('refuses too many rows while they are read for the first time', async () => {
    const read = async (rowsMax: number): Promise<void> => {
      const source = sourceOf(['name'], [['a'], ['b'], ['c']]);
      for await (const _rows of withLimit(source, rowsMax).rows()) void _rows;
    };
    await read(3);
    await expect(read(2)).rejects.toMatchObject({ code: 'too-many-rows', status: 413 });
  });

  it('has added nothing when the client goes away before the end of the body, and adds all when it sends them again', async () => {
    const campaignId = await harness.seedCampaign(1);
    const lines = linesOf(Array.from({ length: 1_500 }, (_, index) => row(index)));
    const socket = begin(campaignId, { 'content-length': String(lines.length + 1) }, lines);
    await once(socket, 'ready');
    await until('the whole body to be sent', () => socket.bytesWritten > lines.length && socket.writableLength === 0);
    socket.destroy();
    expect(await send(campaignId, lines)).toMatchObject({ status: 200, body: { added: 1_500 } });
    expect(await countIn(campaignId)).toBe(1_500);
  });
});
