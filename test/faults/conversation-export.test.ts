import { readFile, rm } from 'node:fs/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Cli, cliEnv } from '../support/cli.ts';
import { Harness } from '../support/harness.ts';
import { HttpHarness, type Client } from '../http/support.ts';

let harness: Harness;
let http: HttpHarness;
let client: Client;
let campaignId: string;
beforeAll(async () => {
  harness = await Harness.open();
  http = await HttpHarness.start(harness);
  client = await http.client(['read']);
  campaignId = await harness.seedCampaign(2);
  const names = ['Alma', '=1+1', 'Nita "N", Reyes', 'Zoë\r\nX'];
  await harness.seedConversations(
    campaignId,
    Array.from({ length: 2_500 }, (_, index) => ({
      name: names[index % names.length] ?? '',
      assigneeId: index % 3 === 0 ? null : 't1',
      status: 'awaiting-contact',
      optedOut: index % 5 === 0,
    })),
  );
});
afterAll(async () => {
  await http.close();
  await harness.close();
});

const path = (rest = ''): string => `${http.server.address}/v1/campaigns/${campaignId}/conversations.csv${rest}`;
const get = (rest = ''): Promise<Response> => fetch(path(rest), { headers: { authorization: `Bearer ${client.key}` } });

describe('the messages export', () => {
  it.each(['', '--raw'])('is the same as that of the command line %s', async (option) => {
    const file = `/tmp/${harness.newId('export')}.csv`;
    const options = option === '' ? [] : [option];
    await new Cli(cliEnv(harness.config)).json(['export', campaignId, '--out', file, ...options]);
    const response = await get(option === '' ? '' : '?raw=true');
    expect(response.status).toBe(200);
    expect(response.headers.get('content-type')).toBe('text/csv; charset=utf-8');
    expect(response.headers.get('content-disposition')).toBe(`attachment; filename="${campaignId}.csv"`);
    expect(await response.text()).toBe(await readFile(file, 'utf8'));
    await rm(file);
  });

  it('of a campaign without conversations has the header line', async () => {
    const empty = await harness.seedCampaign(0);
    const { address } = http.server;
    const headers = { authorization: `Bearer ${client.key}` };
    const response = await fetch(`${address}/v1/campaigns/${empty}/conversations.csv`, { headers });
    expect(await response.text()).toMatch(/^conversation_id,[a-z_,]+\n$/);
  });

  it('gives its place to others when the client goes away, before or after the answer begins', async () => {
    for (let times = 0; times < 40; times += 1) {
      const controller = new AbortController();
      const response = fetch(path(), {
        headers: { authorization: `Bearer ${client.key}` },
        signal: controller.signal,
      });
      if (times % 2 === 0) await response;
      controller.abort();
      await response.catch(() => undefined);
    }
    // More than may run at once, so each has given its place back.
    await expect.poll(async () => (await get()).status).toBe(200);
  });
});
