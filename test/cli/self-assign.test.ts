import { spawn } from 'node:child_process';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Cli, cliEnv } from '../support/cli.ts';
import { Harness } from '../support/harness.ts';
import { until } from '../support/until.ts';

const RULES = { enabled: true, batchMax: 5, openMax: 50 };

describe('baton self-assign', () => {
  let harness: Harness;
  beforeAll(async () => {
    harness = await Harness.open();
    await harness.startWorker();
  });
  afterAll(() => harness.close());

  it('names the claim before it waits, and cancels the claim on Ctrl-C and when the terminal is closed', async () => {
    const campaignId = await harness.seedCampaign(1, { selfAssign: RULES });
    const operationId = harness.newId('cl');
    const args = ['self-assign', campaignId, '--texter', 't1', '--id', operationId, '--wait-for-more', '600'];
    const env = { PATH: process.env['PATH'], ...cliEnv(harness.config) };
    const child = spawn(process.execPath, ['--import', 'tsx', 'src/cli/main.ts', ...args], { env, stdio: 'pipe' });
    let [out, err] = ['', ''];
    child.stdout.on('data', (data: Buffer) => (out += data.toString()));
    child.stderr.on('data', (data: Buffer) => (err += data.toString()));
    const ended = new Promise<number | null>((resolve) => child.once('close', resolve));
    await until('the name of the claim', () => err.includes(`claim ${operationId} waits`));
    await until('the claim to wait', () => harness.isWaiting(operationId));
    // A terminal that is closed; the program that started the command passes a signal on.
    child.kill('SIGHUP');
    child.kill('SIGINT');
    expect(await ended).toBe(0);
    expect(out).toContain(`Claim ${operationId} gave Texter 1 0 conversations: it was stopped.`);
    expect(err).toContain(`claim ${operationId} was cancelled.`);
    await harness.seedConversations(campaignId, [{}, {}]);
    await harness.producer.poolRefilled(campaignId);
    const { receipt } = await harness.producer
      .selfAssign({ operationId: harness.newId('cl'), campaignId, texterId: 't1', count: 1 })
      .then((sent) => sent.result());
    expect(receipt.moved).toBe(1);
    expect(await harness.loads(campaignId)).toEqual({ t1: 1, pool: 1 });
  });

  it('lists the conversations with their contacts', async () => {
    const campaignId = await harness.seedCampaign(1, { selfAssign: RULES });
    await harness.seedConversations(campaignId, [{}]);
    const { out } = await new Cli(cliEnv(harness.config)).run(['self-assign', campaignId, '--texter', 't1']);
    expect(out).toMatch(/gave Texter 1 1 conversation[^]*\nconversation +contact\n[^]*\n[0-9a-f]{24} {2}\S/);
  });
});
