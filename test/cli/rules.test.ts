import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { CLAIMS_QUEUE } from '../../src/queue/names.ts';
import type { SentClaim } from '../../src/producer/producer-port.ts';
import { Cli, cliEnv } from '../support/cli.ts';
import { Harness } from '../support/harness.ts';
import { RawQueue } from '../support/raw-queue.ts';
import { until } from '../support/until.ts';

const RULES = { enabled: true, batchMax: 10, openMax: 10, repliesMax: null };
/** Longer than any test: whatever ends these claims, it is not their deadline. */
const LONG_MS = 3_600_000;

describe('a campaign’s rules for texters who ask for more', () => {
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

  it('are shown, and changed one by one: what is not named stays', async () => {
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
    expect(out).toContain('at most 7 at once, 20 not-started held; none while more than 3 need a reply');
  });

  it('are the same that a campaign can be made with', async () => {
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
  ])('are left as they are by %j', async (options) => {
    const campaignId = await harness.seedCampaign(1, { selfAssign: RULES });
    const refusal = await cli.refusal(['campaign', 'rules', campaignId, ...options]);
    expect(refusal).toMatchObject({ code: 'bad-request' });
    expect(await rulesOf(campaignId)).toEqual(RULES);
  });

  it('of a campaign that nobody knows are not changed', async () => {
    expect(await cli.refusal(['campaign', 'rules', 'nowhere', '--open-max', '1'])).toMatchObject({
      code: 'unknown-campaign',
    });
  });

  /** A texter who asked for 6, was given 2 and waits for more, in a campaign that then has more, though not for them. */
  async function heldBack(): Promise<{ campaignId: string; sent: SentClaim }> {
    const campaignId = await harness.seedCampaign(2, { selfAssign: RULES });
    await harness.seedConversations(campaignId, [{}, {}]);
    const claim = { operationId: harness.newId('cl'), campaignId, texterId: 't1', count: 6, waitMs: LONG_MS };
    const sent = await harness.producer.selfAssign(claim);
    await until('it to wait', () => harness.isWaiting(sent.operationId));
    await until('its job to be snoozed', async () => (await queue.job(sent.operationId))?.isDelayed());
    return { campaignId, sent };
  }

  /** Conversations come while something holds the claim back, and a round passes it over. */
  async function passedOver(campaignId: string, { operationId: claimId }: SentClaim): Promise<void> {
    await harness.seedConversations(
      campaignId,
      Array.from({ length: 6 }, () => ({})),
    );
    await harness.context.stores.claims.serve(campaignId, []);
    expect(await harness.isWaiting(claimId)).toBe(true);
  }

  it.each([
    ['the most held is raised', ['--open-max', '2'], ['--open-max', '9']],
    ['texters may pull again', ['--self-assign', 'off'], ['--self-assign', 'on']],
    ['replies need not come first', ['--replies-max', '0'], ['--replies-max', 'none']],
  ])('let a claim that waits through as soon as %s', async (_what, hold, ease) => {
    const { campaignId, sent } = await heldBack();
    await harness.seedConversations(campaignId, [{ assigneeId: 't1', status: 'needs-reply' }]);
    await cli.json(['campaign', 'rules', campaignId, ...hold]);
    await passedOver(campaignId, sent);
    await cli.json(['campaign', 'rules', campaignId, ...ease]);
    expect((await sent.result()).receipt).toMatchObject({ moved: 6, shortBecause: null });
  });

  it('end a claim that waits with what it has as soon as the most at once is lowered to it', async () => {
    const { campaignId, sent } = await heldBack();
    await cli.json(['campaign', 'rules', campaignId, '--batch-max', '2']);
    expect((await sent.result()).receipt).toMatchObject({ moved: 2, shortBecause: 'batch-max' });
  });

  it.each([
    ['its texter comes back', ['texter', 'pause', 'C', 't1'], ['texter', 'resume', 'C', 't1']],
    ['the campaign is opened again', ['campaign', 'close', 'C'], ['campaign', 'open', 'C']],
  ])('let a claim that waits through as soon as %s', async (_what, hold, ease) => {
    const { campaignId, sent } = await heldBack();
    const on = (args: readonly string[]): string[] => args.map((arg) => (arg === 'C' ? campaignId : arg));
    await cli.json(on(hold));
    await passedOver(campaignId, sent);
    await cli.json(on(ease));
    expect((await sent.result()).receipt).toMatchObject({ moved: 6, shortBecause: null });
  });

  it('let a claim that waits through as soon as its texter’s work is forwarded on to another', async () => {
    const { campaignId, sent } = await heldBack();
    await cli.json(['campaign', 'rules', campaignId, '--open-max', '2']);
    await passedOver(campaignId, sent);
    // Two of its own are forwarded on: then there is room for two more, and that is all it may have.
    const args = ['reassign', campaignId, '--from', 't1', '--to', 't2', '--status', 'any', '--count', '2'];
    await cli.json(args);
    expect((await sent.result()).receipt).toMatchObject({ moved: 4, shortBecause: 'open-max' });
  });

  it('are changed, and said to be, though nobody can tell the claims that wait', async () => {
    const { campaignId } = await heldBack();
    const away = new Cli({ ...cliEnv(harness.config), REDIS_URL: 'redis://127.0.0.1:1' });
    const ran = await away.run(['campaign', 'rules', campaignId, '--open-max', '8', '--json']);
    expect(ran).toMatchObject({ status: 0 });
    expect(ran.err).toContain('claims that wait have not heard of it');
    expect(await rulesOf(campaignId)).toMatchObject({ openMax: 8 });
  });
});
