import { execFile } from 'node:child_process';
import { mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { HttpHarness, type Client } from '../http/support.ts';
import { Harness } from '../support/harness.ts';

const ROOT = new URL('../..', import.meta.url).pathname;
const TIMEOUT_MS = 180_000;
const run = promisify(execFile);

/** A program of another team. Its only knowledge of the API is the types that a tool has made from the document. */
const PROGRAM = `
import createClient from 'openapi-fetch';
import type { components, paths } from './baton.js';

const [baseUrl = '', key = ''] = process.argv.slice(2);
const client = createClient<paths>({ baseUrl, headers: { authorization: 'Bearer ' + key } });

function body<Body>({ data, error }: { data?: Body; error?: unknown }): Body {
  if (data === undefined) throw new Error('refused: ' + JSON.stringify(error));
  return data;
}

const { campaignId } = body(
  await client.POST('/v1/campaigns', { body: { name: 'Rally', selfAssign: { enabled: true } } }),
);
const path = { campaignId };
const added = body(
  await client.POST('/v1/campaigns/{campaignId}/texters', {
    params: { path },
    body: { texters: [{ texterId: 't_kevin', name: 'Kevin' }, { texterId: 't_sue', name: 'Sue' }] },
  }),
);
console.log(JSON.stringify({ campaignId, joined: added.texters.map(({ texter }) => texter?.joinedOrder) }));

// The other program adds the conversations now.
await new Promise((resolve) => process.stdin.once('data', resolve));
process.stdin.destroy();

const request: components['schemas']['OperationRequest'] = {
  kind: 'reassign', from: 'pool', to: 'everyone', status: 'any', spread: 'even',
};
const sent = body(
  await client.POST('/v1/campaigns/{campaignId}/operations', {
    params: { path, header: { 'idempotency-key': 'deal-1', prefer: 'wait=30' } },
    body: request,
  }),
);
const ended = body(
  await client.GET('/v1/campaigns/{campaignId}/operations/{operationId}', {
    params: { path: { ...path, operationId: sent.operationId } },
  }),
);
const claim = body(
  await client.POST('/v1/campaigns/{campaignId}/claims', {
    params: { path, header: { 'idempotency-key': 'claim-1', prefer: 'wait=30' } },
    body: { texterId: 't_kevin' },
  }),
);

const listed: string[] = [];
for (let after: string | null | undefined = undefined; after !== null; ) {
  const query = { limit: 2, assignee: 't_kevin', ...(after && { after }) };
  const page: components['schemas']['ConversationsView'] = body(
    await client.GET('/v1/campaigns/{campaignId}/conversations', { params: { path, query } }),
  );
  listed.push(...page.conversations.map(({ conversationId }) => conversationId));
  after = page.next;
}

const refused = await client.POST('/v1/campaigns/{campaignId}/operations', {
  params: { path, header: { 'idempotency-key': 'unassign-1' } },
  body: { kind: 'unassign', from: 'everyone', status: 'any' },
});
const problem = refused.error as components['schemas']['Problem'];

const issued = body(
  await client.POST('/v1/campaigns/{campaignId}/texters/{texterId}/tokens', {
    params: { path: { ...path, texterId: 't_kevin' } },
  }),
);
const texter = createClient<paths>({ baseUrl, headers: { authorization: 'Bearer ' + issued.token } });
const me = body(await texter.GET('/v1/me'));

console.log(
  JSON.stringify({
    state: ended.state,
    moved: ended.receipt?.moved,
    byTarget: ended.receipt?.byTarget,
    claimed: claim.receipt?.moved,
    listed: listed.length,
    refused: { status: refused.response.status, code: problem.code, expected: problem.expected },
    me: { texterId: me.texterId, 'not-started': me.counts['not-started'] },
  }),
);
`;

/** The types know what is wrong. */
const MISTAKES = `
import createClient from 'openapi-fetch';
import type { paths } from './baton.js';

const client = createClient<paths>({ baseUrl: '' });
// @ts-expect-error There is no such path.
await client.GET('/v1/campains');
// @ts-expect-error The name is missing.
await client.POST('/v1/campaigns', { body: {} });
const params = { path: { campaignId: 'c' }, header: { 'idempotency-key': 'a' } };
// @ts-expect-error There is no such kind of operation.
await client.POST('/v1/campaigns/{campaignId}/operations', { params, body: { kind: 'reasign', from: 'pool', to: 'everyone', status: 'any' } });
// @ts-expect-error The key of the request is missing.
await client.POST('/v1/campaigns/{campaignId}/claims', { params: { path: params.path }, body: { texterId: 't' } });
`;

describe('a client that a public tool generates from openapi.json', () => {
  let harness: Harness;
  let http: HttpHarness;
  let app: Client;
  let folder: string;
  beforeAll(async () => {
    harness = await Harness.open();
    await harness.startWorker();
    http = await HttpHarness.start(harness);
    app = await http.client();
    folder = await mkdtemp(join(tmpdir(), 'baton-client-'));
    await symlink(join(ROOT, 'node_modules'), join(folder, 'node_modules'));
    await writeFile(join(folder, 'package.json'), '{ "private": true, "type": "module" }');
    const generator = join(ROOT, 'node_modules/openapi-typescript/bin/cli.js');
    await run(process.execPath, [generator, join(ROOT, 'openapi.json'), '--output', join(folder, 'baton.d.ts')]);
  }, TIMEOUT_MS);
  afterAll(async () => {
    await http.close();
    await harness.close();
    await rm(folder, { recursive: true });
  });

  async function compile(name: string, text: string): Promise<void> {
    await writeFile(join(folder, name), text);
    const tsc = join(ROOT, 'node_modules/typescript/bin/tsc');
    const strict = ['--strict', '--exactOptionalPropertyTypes', '--noUncheckedIndexedAccess', '--types', 'node'];
    const options = ['--module', 'nodenext', '--target', 'es2022', '--skipLibCheck', 'false', ...strict];
    await run(process.execPath, [tsc, ...options, name], { cwd: folder }).catch(
      (error: Error & { stdout?: string }) => {
        throw new Error(error.stdout ?? error.message);
      },
    );
  }

  it(
    'creates a campaign, moves conversations, reads pages and refusals, and lets a texter in',
    { timeout: TIMEOUT_MS },
    async () => {
      await compile('client.ts', PROGRAM);
      const args = [join(folder, 'client.js'), http.server.address, app.key ?? ''];
      const child = execFile(process.execPath, args, { cwd: folder });
      const lines: string[] = [];
      let errors = '';
      child.stderr?.on('data', (text: string) => (errors += text));
      const ended = new Promise((resolve) => child.once('close', resolve));
      const firstLine = new Promise<void>((resolve) => {
        child.stdout?.on('data', (text: string) => {
          lines.push(...text.split('\n').filter((line) => line !== ''));
          resolve();
        });
      });
      await Promise.race([firstLine, ended]);
      expect(errors).toBe('');
      const { campaignId, joined } = JSON.parse(lines[0] ?? '') as { campaignId: string; joined: number[] };
      expect(joined).toEqual([1, 2]);
      await harness.seedConversations(
        campaignId,
        Array.from({ length: 6 }, () => ({})),
      );
      child.stdin?.write('\n');
      await ended;
      expect(errors).toBe('');
      expect(JSON.parse(lines[1] ?? '')).toEqual({
        state: 'done',
        moved: 6,
        byTarget: [
          { assigneeId: 't_kevin', count: 3 },
          { assigneeId: 't_sue', count: 3 },
        ],
        claimed: 0,
        listed: 3,
        refused: { status: 409, code: 'confirmation-needed', expected: 'a confirmation of 6' },
        me: { texterId: 't_kevin', 'not-started': 3 },
      });
    },
  );

  it('has types that find mistakes before a request is sent', { timeout: TIMEOUT_MS }, async () => {
    await compile('mistakes.ts', MISTAKES);
  });
});
