import { gzipSync } from 'node:zlib';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Harness } from '../support/harness.ts';
import { HttpHarness, type Client } from './support.ts';

let harness: Harness;
let http: HttpHarness;
let client: Client;
let campaignId: string;
beforeAll(async () => {
  harness = await Harness.open();
  http = await HttpHarness.start(harness);
  client = await http.client();
  campaignId = await harness.seedCampaign(1);
});
afterAll(async () => {
  await http.close();
  await harness.close();
});

const HOST = 'Host: x';

/** Sends a request as text, and returns its status and the code of its problem. */
async function send(line: string, headers: readonly string[] = [HOST]) {
  const all = [`${line} HTTP/1.1`, ...headers, 'Connection: close', `Authorization: Bearer ${client.key}`];
  const answer = await http.raw(`${all.join('\r\n')}\r\n\r\n`);
  const [, status] = /^HTTP\/1\.1 (\d+)/.exec(answer) ?? [];
  const [, code] = /"code":"([^"]+)"/.exec(answer) ?? [];
  return { status: Number(status), code };
}

describe('a request that is written in an unusual way', () => {
  it('is routed alike for every method, however its path is written', async () => {
    for (const path of ['/v1/%63ampaigns', '/v1/campaigns?x=%zz', 'http://other/v1/campaigns', '/v1/campaigns#x']) {
      for (const method of ['DELETE', 'PROPFIND']) {
        const problem = { status: 405, code: 'method-not-allowed' };
        expect({ path, ...(await send(`${method} ${path}`)) }).toEqual({ path, ...problem });
      }
    }
    expect(await send('GET /v1/%63ampaigns')).toEqual({ status: 200, code: undefined });
    expect((await send('PROPFIND /v1/%zz')).status).toBeLessThan(500);
  });

  it('has a problem document also when it has no Host, and may have an unknown expectation', async () => {
    expect(await send('GET /v1/campaigns', [])).toEqual({ status: 400, code: 'malformed-request' });
    expect(await send('GET /v1/campaigns', [HOST, 'Expect: wonders'])).toMatchObject({ status: 200 });
  });

  it('is refused when its body is compressed, and nothing is read of it', async () => {
    const body = gzipSync('{"name":"Alma","phone":"+12025550101"}\n');
    for (const media of ['application/x-ndjson', 'application/json']) {
      const response = await fetch(`${client.address}/v1/campaigns/${campaignId}/conversations`, {
        method: 'POST',
        headers: { authorization: `Bearer ${client.key}`, 'content-type': media, 'content-encoding': 'gzip' },
        body,
      });
      expect({ media, status: response.status, ...((await response.json()) as object) }).toMatchObject({
        ...{ media, status: 415, code: 'media-type-unsupported' },
        detail: 'the body is compressed; send it as it is, without Content-Encoding',
      });
    }
  });

  it('is refused when its optional body is white space alone, because that is not JSON', async () => {
    for (const body of [' ', '\r\n']) {
      const response = await fetch(`${client.address}/v1/campaigns/${campaignId}/close`, {
        method: 'POST',
        headers: { authorization: `Bearer ${client.key}`, 'content-type': 'application/json' },
        body,
      });
      expect({ status: response.status, ...((await response.json()) as object) }).toMatchObject({
        ...{ status: 400, code: 'malformed-request' },
      });
    }
    expect((await client.get(`/v1/campaigns/${campaignId}`)).body).toMatchObject({ closed: false });
  });
});

describe('the query of a list', () => {
  const lists = (): string[] => {
    const of = `/v1/campaigns/${campaignId}`;
    return ['/v1/campaigns?', `${of}/operations?`, `${of}/conversations?assignee=pool&`];
  };

  it('with a cursor of another release says to begin from the first page', async () => {
    for (const list of lists()) {
      const problem = await client.problem('GET', `${list}after=v0.12`);
      expect({ list, ...problem }).toMatchObject({ list, status: 400, code: 'cursor-refused' });
      expect(problem.detail).toContain('begin from the first page');
      expect(problem.errors?.map(({ pointer }) => pointer)).toEqual(['#/query/after']);
      expect(await client.problem('GET', `${list}after=v0.12&limit=0`)).toMatchObject({ code: 'bad-request' });
    }
  });

  it('takes whole numbers as the document writes them', async () => {
    for (const list of lists()) {
      for (const limit of ['0', '201', '0x10', '1e1', '%2010', '1.5', '', 'true', '-1']) {
        const problem = await client.problem('GET', `${list}limit=${limit}`);
        expect({ list, limit, ...problem }).toMatchObject({ list, limit, status: 400, code: 'bad-request' });
      }
      for (const limit of ['1', '200']) expect((await client.get(`${list}limit=${limit}`)).status).toBe(200);
    }
  });
});
