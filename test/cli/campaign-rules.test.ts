import { serveClaims } from '../../src/claims/index.ts';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { CLAIMS_QUEUE } from '../../src/queue/job.ts';
import type { SentClaim } from '../../src/producer/producer-port.ts';
import { Cli, cliEnv } from '../support/cli.ts';
import { Harness, many } from '../support/harness.ts';
import { RawQueue } from '../support/raw-queue.ts';
import { until } from '../support/until.ts';

const RULES = { enabled: true, batchMax: 10, openMax: 10, repliesMax: null };
/** Longer than any test, so that no claim ends by its deadline. */
const LONG_MS = 3_600_000;

describe('baton campaign rules', () => {
  let harness: Harness;
  let queue: RawQueue;
  let cli: Cli;
  beforeAll(async () => {
    harness = await Harness.open();
    queue = new RawQueue(harness, CLAIMS_QUEUE);
    await harness.startWorker();
    cli = new Cli(cliEnv(harness.config));
  });
  afterAll(async () => {
    await queue.close();
    await harness.close();
  });

  const rulesOf = async (campaignId: string, ...options: string[]): Promise<unknown> =>
    (await cli.json<{ selfAssign: unknown }>(['campaign', 'rules', campaignId, ...options])).selfAssign;

  it('shows the rules, changes the given ones and keeps the others', async () => {
    const campaignId = await harness.seedCampaign(1, { selfAssign: RULES });
    expect(await rulesOf(campaignId)).toEqual(RULES);
    expect(await rulesOf(campaignId, '--batch-max', '7')).toEqual({ ...RULES, batchMax: 7 });
    expect(await rulesOf(campaignId, '--replies-max', '0', '--open-max', '20')).toEqual({
      enabled: true,
      batchMax: 7,
      openMax: 20,
      repliesMax: 0,
    });
    expect(await rulesOf(campaignId, '--replies-max', 'none', '--self-assign', 'off')).toEqual({
      enabled: false,
      batchMax: 7,
      openMax: 20,
      repliesMax: null,
    });
    const { out } = await cli.run(['campaign', 'rules', campaignId, '--self-assign', 'on', '--replies-max', '3']);
    expect(out).toContain('at most 7 at once and 20 not-started in all; no claim while more than 3 need a reply');
  });

  it('has the same limits as campaign create', async () => {
    const made = ['campaign', 'create', 'Made', '--self-assign', '--batch-max', '2', '--open-max', '3'];
    const { selfAssign } = await cli.json<{ selfAssign: unknown }>([...made, '--replies-max', '4']);
    expect(selfAssign).toEqual({ enabled: true, batchMax: 2, openMax: 3, repliesMax: 4 });
  });

  it.each([
    [['--batch-max', '0']],
    [['--batch-max', '5001']],
    [['--open-max', 'none']],
    [['--open-max', '']],
    [['--replies-max', '-1']],
    [['--replies-max', 'all']],
    [['--self-assign', 'maybe']],
    [['--self-assign']],
    [['--batch-max', '3', '--open-max', '1.5']],
  ])('refuses %j and changes nothing', async (options) => {
    const campaignId = await harness.seedCampaign(1, { selfAssign: RULES });
    const refusal = await cli.refusal(['campaign', 'rules', campaignId, ...options]);
    expect(refusal).toMatchObject({ code: 'bad-request' });
    expect(await rulesOf(campaignId)).toEqual(RULES);
  });

  it('refuses an unknown campaign', async () => {
    expect(await cli.refusal(['campaign', 'rules', 'nowhere', '--open-max', '1'])).toMatchObject({
      code: 'unknown-campaign',
    });
  });

  /** Sends a claim for 6 to a pool of 2, and returns when the claim waits for the other 4. */
  async function waitingClaim(): Promise<{ campaignId: string; sent: SentClaim }> {
    const campaignId = await harness.seedCampaign(2, { selfAssign: RULES });
    await harness.seedConversations(campaignId, [{}, {}]);
    const claim = { operationId: harness.newId('cl'), campaignId, texterId: 't1', count: 6, waitMs: LONG_MS };
    const sent = await harness.producer.selfAssign(claim);
    await until('the claim to wait', () => harness.isWaiting(sent.operationId));
    await until('the job of the claim to be snoozed', async () => (await queue.job(sent.operationId))?.isDelayed());
    return { campaignId, sent };
  }

  /** Adds 6 conversations to the pool and checks that a round of claims leaves the claim waiting. */
  async function expectStillWaiting(campaignId: string, { operationId }: SentClaim): Promise<void> {
    await harness.seedConversations(campaignId, many(6));
    await serveClaims(harness.context.stores.claims, campaignId, []);
    expect(await harness.isWaiting(operationId)).toBe(true);
  }

  it.each([
    ['the limit of not-started conversations is raised', ['--open-max', '2'], ['--open-max', '9']],
    ['the limit on replies is removed', ['--replies-max', '0'], ['--replies-max', 'none']],
  ])('serves a waiting claim as soon as %s', async (_what, restrict, ease) => {
    const { campaignId, sent } = await waitingClaim();
    await harness.seedConversations(campaignId, [{ assigneeId: 't1', status: 'needs-reply' }]);
    await cli.json(['campaign', 'rules', campaignId, ...restrict]);
    await expectStillWaiting(campaignId, sent);
    await cli.json(['campaign', 'rules', campaignId, ...ease]);
    expect((await sent.result()).receipt).toMatchObject({ moved: 6, shortBecause: null });
  });

  it('ends a waiting claim when the limit for one claim is lowered to what the claim has', async () => {
    const { campaignId, sent } = await waitingClaim();
    await cli.json(['campaign', 'rules', campaignId, '--batch-max', '2']);
    expect((await sent.result()).receipt).toMatchObject({ moved: 2, shortBecause: 'batch-max' });
  });

  it.each([
    ['its texter is paused', 'texter-inactive', ['texter', 'pause', 'C', 't1']],
    ['its campaign is closed', 'campaign-closed', ['campaign', 'close', 'C']],
    ['self-assign is switched off', 'self-assign-off', ['campaign', 'rules', 'C', '--self-assign', 'off']],
  ])('ends a waiting claim with the reason as soon as %s', async (_what, reason, args) => {
    const { campaignId, sent } = await waitingClaim();
    await cli.json(args.map((arg) => (arg === 'C' ? campaignId : arg)));
    expect((await sent.result()).receipt).toMatchObject({ moved: 2, shortBecause: reason });
  });

  it('serves a waiting claim as soon as conversations of its texter move to another texter', async () => {
    const { campaignId, sent } = await waitingClaim();
    await cli.json(['campaign', 'rules', campaignId, '--open-max', '2']);
    await expectStillWaiting(campaignId, sent);
    // Two conversations of the texter move away, so the limit of two leaves room for two more.
    const args = ['reassign', campaignId, '--from', 't1', '--to', 't2', '--status', 'any', '--count', '2'];
    await cli.json(args);
    expect((await sent.result()).receipt).toMatchObject({ moved: 4, shortBecause: 'open-max' });
  });

  it('changes the rules and notes that the waiting claims were not notified, when the queue is away', async () => {
    const { campaignId } = await waitingClaim();
    const away = new Cli({ ...cliEnv(harness.config), REDIS_URL: 'redis://127.0.0.1:1' });
    const ran = await away.run(['campaign', 'rules', campaignId, '--open-max', '8', '--json']);
    expect(ran).toMatchObject({ status: 0 });
    expect(ran.err).toContain('the waiting claims could not be notified');
    expect(await rulesOf(campaignId)).toMatchObject({ openMax: 8 });
  });
});
