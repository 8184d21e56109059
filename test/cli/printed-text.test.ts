import { PassThrough } from 'node:stream';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { runCli } from '../../src/cli/program.ts';
import { Cli, cliEnv } from '../support/cli.ts';
import { campaignDoc, conversationDoc, texterDoc } from '../support/documents.ts';
import { Harness } from '../support/harness.ts';

/** What a terminal acts on, or does not show. Each printed line ends with a line feed. */
const NOT_PRINTED = /(?!\n)[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/u;
const EVIL = 'Kev\u200bin\u202e\u2066 \u001b[31m\u009b\u2028 👩‍👩‍👧\u{e0041}';

describe('the output of the command line', () => {
  let harness: Harness;
  let cli: Cli;
  const campaignId = 'c1';

  beforeAll(async () => {
    harness = await Harness.open();
    await harness.startWorker();
    cli = new Cli(cliEnv(harness.config));
    await harness.seeder.campaign(campaignDoc({ _id: campaignId, name: EVIL, texterCount: 1 }), [
      texterDoc({ campaignId, joinedOrder: 1, name: EVIL }),
    ]);
    const contact = { name: EVIL, phone: '+12025550101' };
    await harness.seeder.conversations([
      { ...conversationDoc(1, { campaignId, assigneeId: 't1', externalId: EVIL }), contact },
    ]);
  });
  afterAll(() => harness.close());

  it.each([
    ['campaign', 'list'],
    ['campaign', 'show', campaignId],
    ['texter', 'list', campaignId],
    ['senders', campaignId],
    ['conversations', campaignId],
    ['reassign', campaignId, '--from', 't1', '--to', 'everyone', '--status', 'any', '--preview'],
    ['self-assign', campaignId, '--texter', EVIL],
    ['senders', EVIL],
    ['reassign', campaignId, '--from', `${EVIL},t1`, '--to', EVIL, '--status', 'any'],
    ['conversations', campaignId, '--of', 'nobody\u202e'],
    ['texter', 'add', campaignId, EVIL],
    ['import', campaignId, `missing\u202e\u001b.csv`],
    ['\u202e\u001bunknown'],
    ['senders', campaignId, '--\u202eoption'],
  ])('contains no control or format characters: %j', async (...args) => {
    for (const more of [[], ['--json']]) {
      const { out, err } = await cli.run([...args, ...more]);
      expect(out + err).not.toMatch(NOT_PRINTED);
      if (more.length > 0) expect(() => JSON.parse(out) as unknown).not.toThrow();
    }
  });

  it('has the complete name in a JSON document', async () => {
    expect(await cli.json(['campaign', 'show', campaignId])).toMatchObject({ name: EVIL });
  });

  it('contains no such characters in an export that is shown on a terminal', async () => {
    const stdout = Object.assign(new PassThrough(), { isTTY: true });
    const { stdin, stderr } = { stdin: new PassThrough(), stderr: new PassThrough() };
    expect(await runCli(['export', campaignId, '--raw'], { env: cliEnv(harness.config), stdin, stdout, stderr })).toBe(
      0,
    );
    const shown = String(stdout.read());
    expect(shown).toContain('Kevin');
    expect(shown).not.toMatch(NOT_PRINTED);
  });

  it('shows names that cannot be told apart as they are stored: without invisible characters', async () => {
    const made = await cli.json<{ name: string }>(['texter', 'add', campaignId, 'Re\u200bbecca\u00a0 B']);
    expect(made.name).toBe('Rebecca B');
    expect((await cli.json<{ name: string }>(['campaign', 'create', 'A\u200b 👩‍👩‍👧'])).name).toBe('A 👩‍👩‍👧');
    for (const name of ['p\u200bool', '\u200b', 'Kevin\u202e']) {
      expect(await cli.refusal(['texter', 'add', campaignId, name])).toMatchObject({ code: 'bad-request' });
    }
  });
});
