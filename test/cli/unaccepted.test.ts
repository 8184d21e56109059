import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Cli, cliEnv } from '../support/cli.ts';
import { Harness, many } from '../support/harness.ts';
import { RawQueue } from '../support/raw-queue.ts';
import { oneSlice } from '../support/run-operation.ts';

interface Listed {
  readonly sent: { readonly operationId: string; readonly state: string }[];
  readonly operations: { readonly operationId: string; readonly state: string }[];
}

/** No worker runs in the first tests. */
describe('an operation that no worker has accepted', () => {
  let harness: Harness;
  let cli: Cli;
  let campaignId: string;
  beforeAll(async () => {
    harness = await Harness.open({ batchConversationsMax: 5 });
    cli = new Cli(cliEnv(harness.config));
    campaignId = await harness.seedCampaign(2, { selfAssign: { enabled: true } });
    await harness.seedConversations(campaignId, many(20));
  });
  afterAll(() => harness.close());

  const send = (id: string, count: string) =>
    cli.json([
      ...['reassign', campaignId, '--from', 'pool', '--to', 'everyone', '--status', 'any', '--count', count],
      ...['--id', id, '--no-wait', '--actor', 'lead_1'],
    ]);
  const list = (...args: string[]) => cli.json<Listed>(['operations', campaignId, ...args]);
  const idsOf = (listed: readonly { readonly operationId: string }[]) => listed.map(({ operationId }) => operationId);

  it('is shown and listed, newest first, with who asked', async () => {
    await send('first', '3');
    await send('second', '4');
    expect(await cli.json(['operation', 'first'])).toMatchObject({ state: 'sent', request: { count: 3 }, campaignId });
    expect(idsOf((await list()).sent)).toEqual(['second', 'first']);
    expect(idsOf((await list('--state', 'done')).sent)).toEqual([]);
    expect(idsOf((await list('--kind', 'reassign')).sent)).toEqual(['second', 'first']);
    expect(idsOf((await list('--kind', 'self-assign')).sent)).toEqual([]);
    const { out } = await cli.run(['operation', 'first']);
    expect(out).toContain('sent; no worker has accepted it yet');
    const table = (await cli.run(['operations', campaignId, '--state', 'sent'])).out;
    expect(table).toMatch(/^second .* sent .* lead_1/m);
    const other = await harness.seedCampaign(1);
    expect((await cli.json<Listed>(['operations', other])).sent).toEqual([]);
  });

  it('makes the commands that wait for a worker say that none runs', async () => {
    const waiting = [
      ['cancel', 'first'],
      ['self-assign', campaignId, '--texter', 't1', '--id', 'claim'],
    ].map((args) => cli.run([...args, '--wait', '4']));
    for (const { status, err } of await Promise.all(waiting)) {
      expect(status).toBe(1);
      expect(err).toContain('no worker is running');
      expect(err).toMatch(/may continue\. To see what became of it: baton operation (first|claim)\n/);
    }
    expect(idsOf((await list()).sent)).toEqual(['claim', 'second', 'first']);
  });

  it('is cancelled without naming its campaign, and then only the database is asked', async () => {
    const jobs = new RawQueue(harness);
    // The worker runs no operation, but it cancels them.
    await jobs.queue.pause();
    await harness.startWorker();
    expect((await cli.run(['cancel', 'second'])).out).toContain('Operation second is cancelled');
    expect(await jobs.job('second')).toBeDefined();
    const { sent, operations } = await list();
    expect(idsOf(sent)).not.toContain('second');
    expect(operations).toContainEqual(expect.objectContaining({ operationId: 'second', state: 'cancelled' }));
    await jobs.close();
  });
});

describe('a running operation', () => {
  it('shows its progress, also in the list', async () => {
    const harness = await Harness.open();
    const cli = new Cli(cliEnv(harness.config));
    try {
      const campaignId = await harness.seedCampaign(2);
      await harness.seedConversations(campaignId, many(20));
      const operationId = harness.newId('op');
      const request = { kind: 'reassign', operationId, campaignId, from: 'pool', to: 'everyone' } as const;
      await oneSlice(harness.context.stores, { ...request, status: 'any' });
      const { progress } = await cli.json<{ progress: { moved: number; left: number } }>(['operation', operationId]);
      const { pool } = await harness.loads(campaignId);
      expect(progress).toEqual({ moved: 20 - (pool ?? 0), left: pool });
      expect((await cli.run(['operations', campaignId, '--state', 'running'])).out).toContain(
        `running, ${progress.moved} of 20`,
      );
    } finally {
      await harness.close();
    }
  });
});
