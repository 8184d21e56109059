import { execFile, spawnSync } from 'node:child_process';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { Cli, cliEnv } from '../support/cli.ts';
import { HttpHarness } from '../http/support.ts';
import { Harness, many } from '../support/harness.ts';
import { itWith } from '../support/needs.ts';

const CURL = { what: 'needs curl', isMet: spawnSync('curl', ['--version']).status === 0 };

/** Returns the code block that follows `<!-- example: NAME -->` in the README. */
async function exampleOf(name: string): Promise<string> {
  const readme = await readFile(new URL('../../README.md', import.meta.url), 'utf8');
  const code = new RegExp(`<!-- example: ${name} -->\\s+\`\`\`\\w+\\n(.*?)\`\`\``, 's').exec(readme)?.[1];
  if (code === undefined) throw new Error(`the README has no example "${name}"`);
  return code;
}

/** Splits a command line into words. Single quotes are the only shell syntax that the README uses. */
function words(line: string): string[] {
  return [...line.matchAll(/'([^']*)'|(\S+)/g)].map(([, quoted, bare]) => quoted ?? bare ?? '');
}

describe('the README', () => {
  let harness: Harness;
  let folder: string;
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'baton-readme-'));
    harness = await Harness.open();
    await harness.startWorker();
  });
  afterAll(async () => {
    await harness.close();
    await rm(folder, { recursive: true });
  });

  it('has command lines that work in their order', async () => {
    const file = (await exampleOf('contacts')).split('\n').slice(1, -2).join('\n');
    await writeFile(join(folder, 'contacts.csv'), file);
    const cli = new Cli(cliEnv(harness.config));
    const lines = [await exampleOf('command line'), await exampleOf('change of mind')].join('');
    for (const line of lines.trim().split('\n')) {
      const args = words(line.replace('npm run -s baton -- ', '')).map((word) =>
        word === 'contacts.csv' ? join(folder, word) : word,
      );
      const ran = await cli.run(args);
      expect({ line, ...ran }).toMatchObject({ status: 0 });
    }
    const counts = Object.values(await harness.loads('c_bartlett')).sort();
    expect(counts).toEqual([2, 4]);
  });

  it('has a producer example that works', async () => {
    await harness.context.database.campaigns.deleteMany({});
    await harness.seedCampaign(2, { campaignId: 'c_bartlett' });
    await harness.seedConversations('c_bartlett', many(600));
    const { redisUrl, prefix } = harness.config.queue;
    const shown = await exampleOf('producer');
    const code = shown
      .replace(/\{ redisUrl: '.*?' \}/, JSON.stringify({ redisUrl, prefix }))
      .replace("'@baton-texting/baton'", `'${new URL('../../src/index.ts', import.meta.url).pathname}'`);
    await writeFile(join(folder, 'producer.ts'), code);
    const log = vi.spyOn(console, 'log').mockImplementation(() => undefined);
    await import(join(folder, 'producer.ts'));
    expect(log.mock.calls[0]?.slice(0, 2)).toEqual(['created', 500]);
    log.mockRestore();
  });

  itWith(CURL)('has requests with curl that work in their order', async () => {
    const http = await HttpHarness.start(harness);
    try {
      const { key = '' } = await http.client();
      const [, ...lines] = (await exampleOf('curl')).split('\n');
      const env = { ...process.env, API: http.server.address, KEY: key };
      const { stdout } = await promisify(execFile)('sh', ['-eu', '-c', lines.join('\n')], { env });
      expect(stdout).not.toContain('urn:baton:problem');
      const [, , imported, sent, found, claimed, senders] = stdout.split('\n');
      expect(imported).toContain('"added":3');
      for (const receipt of [sent, found]) expect(receipt).toContain('"moved":2');
      expect(claimed).toContain('"moved":1');
      expect(senders).toContain('"countedAt"');
      expect(stdout).toContain('event: end');
      expect(stdout).toContain('"campaign":{"campaignId":"c_rally"');
      expect(stdout.trimEnd().split('\n').at(-1)).toContain('"moved":3');
    } finally {
      await http.close();
    }
  });
});
