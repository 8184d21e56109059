import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { build } from 'esbuild';
import ts from 'typescript';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { cliEnv } from '../support/cli.ts';
import { Harness } from '../support/harness.ts';
import { until } from '../support/until.ts';
import { ROOT } from '../support/checkout-copy.ts';
import { Project } from './support.ts';

const TIMEOUT_MS = 180_000;

/** Sends a request, prints its result, and prints where the stack of a refusal begins. */
const BODY = `
  const { redisUrl, prefix, campaignId, operationId } = JSON.parse(process.argv[2]);
  const producer = createProducer({ redisUrl, prefix });
  const request = { operationId, campaignId, from: 'pool', to: 'everyone', status: 'any' };
  const { receipt } = await (await producer.reassign(request)).result();
  const refused = await producer.reassign({ ...request, status: 'anything' }).catch((error) => error);
  console.log(JSON.stringify({ moved: receipt.moved, isRefusal: refused instanceof Refusal, code: refused.code }));
  await producer.close();`;
const ESM = `import { createProducer, Refusal } from '@baton-texting/baton';\n${BODY}`;
const CJS = `const { createProducer, Refusal } = require('@baton-texting/baton');\n(async () => {${BODY}})();`;

const TYPED = `
  const producer = createProducer({ redisUrl: 'redis://127.0.0.1' });
  const request: ReassignInput = { operationId: 'a', campaignId: 'c', from: 'pool', to: 'everyone', status: 'any' };
  export async function send(): Promise<number> {
    const sent = await producer.reassign({ ...request, count: undefined });
    const { receipt } = await sent.result({ onProgress: ({ moved }) => console.log(moved + 1) });
    const { moved } = await producer.preview({ kind: 'unassign', campaignId: 'c', from: 'everyone', status: 'any' });
    const sentAll = await producer.sendAll([{ kind: 'reassign', ...request }, { kind: 'undo', operationId: 'b', campaignId: 'c', undoes: 'a' }]);
    // @ts-expect-error This kind does not exist.
    await producer.sendAll([{ kind: 'reasign', ...request }]);
    return receipt.moved + moved + sentAll.length;
  }
  declare const console: { log(text: unknown): void };`;

describe('the package that npm pack makes', () => {
  let project: Project;
  let harness: Harness;
  let campaignId: string;
  beforeAll(async () => {
    project = await Project.create();
    harness = await Harness.open();
    await harness.startWorker();
    campaignId = await harness.seedCampaign(2);
  }, TIMEOUT_MS);
  afterAll(async () => {
    await harness.close();
    await project.remove();
  });

  /** Runs a program that sends a request, and expects that its request moved one conversation. */
  async function expectToSend(file: string): Promise<void> {
    await harness.seedConversations(campaignId, [{}]);
    const { redisUrl, prefix } = harness.config.queue;
    const out = await project.node(
      file,
      JSON.stringify({ redisUrl, prefix, campaignId, operationId: harness.newId('op') }),
    );
    expect(JSON.parse(out)).toEqual({ moved: 1, isRefusal: true, code: 'bad-request' });
  }

  it('needs no other package', async () => {
    expect(await readdir(join(project.folder, 'node_modules'))).toEqual([
      '.bin',
      '.package-lock.json',
      '@baton-texting',
    ]);
  });

  it('has a command line that starts the HTTP server and a worker', { timeout: TIMEOUT_MS }, async () => {
    const baton = join(project.folder, 'node_modules', '.bin', 'baton');
    const env = { ...process.env, ...cliEnv(harness.config), BATON_HTTP_PORT: '0', BATON_LOG_LEVEL: 'info' };
    const child = spawn(process.execPath, [baton, 'serve', '--with-worker'], {
      env,
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    const ended = once(child, 'exit');
    let out = '';
    for (const stream of [child.stdout, child.stderr]) stream.on('data', (text: Buffer) => (out += text.toString()));
    for (const line of ['the HTTP server listens', 'worker ready']) {
      await until(line, async () => Promise.resolve(out.includes(line)));
    }
    child.kill('SIGTERM');
    expect(await ended).toEqual([0, null]);
  });

  it('can be imported by an ES module and required by a CommonJS module', { timeout: TIMEOUT_MS }, async () => {
    await project.write('esm.mjs', ESM);
    await expectToSend('esm.mjs');
    await project.write('cjs.cjs', CJS);
    await expectToSend('cjs.cjs');
  });

  it.each([
    ['an import', 'esm', ESM],
    ['an import', 'cjs', ESM.replace(BODY, `(async () => {${BODY}})();`)],
    ['a require', 'esm', CJS],
    ['a require', 'cjs', CJS],
  ] as const)(
    'can be bundled by esbuild from %s into the format %s',
    { timeout: TIMEOUT_MS },
    async (_, format, contents) => {
      const outfile = join(project.folder, format === 'esm' ? 'bundled.mjs' : 'bundled.cjs');
      const stdin = { contents, resolveDir: project.folder };
      await build({ stdin, bundle: true, platform: 'node', format, outfile, logLevel: 'error' });
      await expectToSend(outfile);
    },
  );

  it('has types for strict ES modules and for CommonJS modules', { timeout: TIMEOUT_MS }, async () => {
    const text = `import { createProducer, type ReassignInput } from '@baton-texting/baton';\n${TYPED}`;
    await project.write('esm/typed.mts', text);
    await project.checkTypes('esm/typed.mts', 'nodenext');
    await project.write('cjs/package.json', '{ "type": "commonjs" }');
    await project.write('cjs/typed.ts', text);
    await project.checkTypes('cjs/typed.ts', 'node16');
  });

  it('explains every field of a request in its types', async () => {
    const file = 'node_modules/@baton-texting/baton/dist/esm/domain/inputs.d.ts';
    const source = ts.createSourceFile(
      file,
      await readFile(join(project.folder, file), 'utf8'),
      ts.ScriptTarget.ESNext,
      true,
    );
    const interfaces = source.statements
      .filter(ts.isInterfaceDeclaration)
      .filter(({ name }) => name.text !== 'InputOfKind');
    const undocumented = interfaces.flatMap(({ name, members }) =>
      members
        .filter((member) => ts.getJSDocCommentsAndTags(member).length === 0)
        .map((member) => `${name.text}.${member.name?.getText() ?? ''}`),
    );
    expect(undocumented).toEqual([]);
  });

  it('begins the stack of a refusal at the line of the caller', { timeout: TIMEOUT_MS }, async () => {
    const { redisUrl, prefix } = harness.config.queue;
    await project.write(
      'stack.mjs',
      `import { createProducer } from '@baton-texting/baton';
      const first = (error) => error.stack.split('\\n')[1].replace(/.*\\/(?=stack)/, '');
      try { createProducer({}); } catch (error) { console.log(first(error)); }
      const producer = createProducer(${JSON.stringify({ redisUrl, prefix })});
      const request = { operationId: 'o_none', campaignId: 'c_none', from: 'pool', to: 'everyone', status: 'any' };
      await producer.reassign({ ...request, status: 'x' }).catch((error) => console.log(first(error)));
      const sent = await producer.reassign(request);
      await sent.result().catch((error) => console.log(first(error)));
      await producer.close();
      await producer.reassign(request).catch((error) => console.log(error.code, first(error)));`,
    );
    expect((await project.node('stack.mjs')).trim().split('\n')).toEqual([
      expect.stringMatching(/^stack\.mjs:3:/),
      expect.stringMatching(/^stack\.mjs:6:/),
      expect.stringMatching(/^stack\.mjs:8:/),
      expect.stringMatching(/^producer-closed stack\.mjs:10:/),
    ]);
  });

  it('has a command line that prints its version and its help', { timeout: TIMEOUT_MS }, async () => {
    const { version } = JSON.parse(await readFile(`${ROOT}package.json`, 'utf8')) as { version: string };
    expect(await project.run('node_modules/.bin/baton', '--version')).toBe(`${version}\n`);
    expect(await project.run('node_modules/.bin/baton', 'reassign', '--help')).toContain('Usage: baton reassign');
  });
});
