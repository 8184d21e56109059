import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { OperationDoc } from '../../src/mongo/documents.ts';
import type { Sent } from '../../src/producer/producer-port.ts';
import { Cli, cliEnv } from '../support/cli.ts';
import { Harness, many, type Seeded } from '../support/harness.ts';
import { blockMoves } from '../support/blocked-conversation.ts';
import { idsOf, rawBatches, rawConversations, rawOperation } from '../support/raw.ts';
import { until } from '../support/until.ts';

const BATCH = 5;
const CONVERSATIONS = 400;
/** Shorter than the delay of a snoozed job, so that the result must come from a wake-up. */
const SOON = { waitMs: 15_000 };

interface CampaignWithPool {
  readonly campaignId: string;
  /** In the order of selection. */
  readonly ids: readonly string[];
}

describe('cancelling an operation', () => {
  let harness: Harness;
  beforeAll(async () => {
    harness = await Harness.open({ batchConversationsMax: BATCH, batchesInFlightMax: 1, sliceMs: 50 });
    await harness.startWorker({ operationConcurrency: 2 });
  });
  afterAll(() => harness.close());

  async function seed(): Promise<CampaignWithPool> {
    const campaignId = await harness.seedCampaign(3, { selfAssign: { enabled: true } });
    const waiting: Seeded[] = Array.from({ length: CONVERSATIONS }, (_, at) => ({ waitedMs: (1_000 - at) * 1_000 }));
    return { campaignId, ids: await harness.seedConversations(campaignId, waiting) };
  }

  const reassign = ({ campaignId }: CampaignWithPool, fields: { count?: number } = {}): Promise<Sent> =>
    harness.producer.reassign({
      operationId: harness.newId('op'),
      campaignId,
      from: 'pool',
      to: 'everyone',
      status: 'any',
      ...fields,
    });
  const cancel = ({ campaignId }: CampaignWithPool, { operationId }: Sent) =>
    harness.producer.cancel({ operationId, campaignId, actorId: 'a_lead', reason: 'wrong texters' });

  const applied = ({ operationId }: Sent, batches: number): Promise<unknown> =>
    until(`${batches} batches of ${operationId} to be applied`, async () => {
      const filter = { operationId, state: 'applied' } as const;
      return (await harness.context.database.batches.countDocuments(filter)) >= batches;
    });
  const inDatabase = (operationId: string, fields: Partial<OperationDoc>): Promise<unknown> =>
    until(`${operationId} in the database`, () =>
      harness.context.database.operations.findOne({ _id: operationId, ...fields }),
    );
  const cancellationRecorded = ({ operationId }: Sent): Promise<unknown> =>
    until(`the cancellation of ${operationId}`, async () => (await rawOperation(harness, operationId)).cancellation);

  const movedBy = async ({ campaignId }: CampaignWithPool, operationId: string): Promise<string[]> =>
    [...(await rawConversations(harness, campaignId))]
      .filter(([, { lastOperationId }]) => lastOperationId === operationId)
      .map(([id]) => id);

  it('ends a running operation after the batches in progress, with an exact receipt', async () => {
    const campaign = await seed();
    const block = await blockMoves(harness, campaign.ids[102] ?? '');
    const sent = await reassign(campaign);
    await applied(sent, 20);
    const cancelling = cancel(campaign, sent);
    await cancellationRecorded(sent);
    await block.remove();
    const { state, receipt } = await cancelling;
    const after = await rawConversations(harness, campaign.campaignId);
    const moved = await movedBy(campaign, sent.operationId);
    // At most the batch in progress was added.
    expect([100, 105]).toContain(moved.length);
    expect(moved.sort()).toEqual(campaign.ids.slice(0, moved.length).sort());
    expect(state).toBe('cancelled');
    expect(receipt).toMatchObject({
      selected: moved.length,
      moved: moved.length,
      left: CONVERSATIONS - moved.length,
      shortBecause: 'stopped',
    });
    // The sender of the operation receives the same receipt. Nothing moves after that.
    expect(await sent.result(SOON)).toMatchObject({ outcome: 'created', state: 'cancelled', receipt });
    expect(await rawConversations(harness, campaign.campaignId)).toEqual(after);
    const batches = await rawBatches(harness, sent.operationId);
    expect(idsOf(batches.filter((batch) => batch.state === 'applied').flatMap(({ moves }) => moves)).sort()).toEqual(
      moved,
    );
    expect(await rawOperation(harness, sent.operationId)).toMatchObject({
      cancellation: { by: 'a_lead', reason: 'wrong texters' },
    });
  });

  it('leaves no move that happens after the answer', async () => {
    const campaign = await seed();
    const sent = await reassign(campaign, { count: 350 });
    await applied(sent, 5);
    const { receipt } = await cancel(campaign, sent);
    const after = await rawConversations(harness, campaign.campaignId);
    expect(receipt).toMatchObject({ moved: (await movedBy(campaign, sent.operationId)).length, asked: 350 });
    expect(receipt.left).toBe(350 - receipt.moved);
    await sent.result(SOON);
    expect(await rawConversations(harness, campaign.campaignId)).toEqual(after);
  });

  it('ends a waiting operation without an effect on the operations before and after it', async () => {
    const campaign = await seed();
    const block = await blockMoves(harness, campaign.ids[12] ?? '');
    const before = await reassign(campaign, { count: 30 });
    await applied(before, 2);
    const [waiting, next] = [await reassign(campaign), await reassign(campaign, { count: 10 })];
    for (const { operationId } of [waiting, next]) await inDatabase(operationId, { state: 'accepted' });
    const { receipt } = await cancel(campaign, waiting);
    expect(receipt).toMatchObject({ selected: 0, moved: 0 });
    expect(receipt.left).toBeGreaterThanOrEqual(CONVERSATIONS - 15);
    expect(await waiting.result(SOON)).toMatchObject({ state: 'cancelled' });
    await block.remove();
    expect(await before.result(SOON)).toMatchObject({ state: 'done', receipt: { moved: 30, left: null } });
    expect(await next.result(SOON)).toMatchObject({ state: 'done', receipt: { moved: 10 } });
  });

  it('lets the next operation start at once when the cancelled one was running', async () => {
    const campaign = await seed();
    const block = await blockMoves(harness, campaign.ids[12] ?? '');
    const running = await reassign(campaign);
    await applied(running, 2);
    const next = await reassign(campaign, { count: 7 });
    await inDatabase(next.operationId, { state: 'accepted' });
    const cancelling = cancel(campaign, running);
    await cancellationRecorded(running);
    await block.remove();
    await cancelling;
    expect(await next.result(SOON)).toMatchObject({ receipt: { moved: 7 } });
  });

  it('ends an operation that no worker has started, even while all workers are busy', async () => {
    const busy = await Promise.all([seed(), seed()]);
    const blocks = await Promise.all(busy.map(({ ids }) => blockMoves(harness, ids[1] ?? '')));
    const running = await Promise.all(busy.map((campaign) => reassign(campaign)));
    for (const { operationId } of running) await inDatabase(operationId, { state: 'running' });
    const campaign = await seed();
    const sent = await reassign(campaign, { count: 40 });
    const { receipt } = await cancel(campaign, sent);
    expect(receipt).toMatchObject({ moved: 0, asked: 40, left: 40, shortBecause: 'stopped' });
    await Promise.all(blocks.map((block) => block.remove()));
    expect(await sent.result(SOON)).toMatchObject({ outcome: 'created', state: 'cancelled' });
    expect(await harness.loads(campaign.campaignId)).toEqual({ pool: CONVERSATIONS });
    await Promise.all(running.map((each) => each.result()));
  });

  it('gives both senders the same result when the operation ends at the same time', async () => {
    for (let round = 0; round < 12; round += 1) {
      const campaignId = await harness.seedCampaign(2);
      const ids = await harness.seedConversations(campaignId, many(12));
      const campaign = { campaignId, ids };
      const sent = await reassign(campaign);
      if (round % 2 === 1) await applied(sent, 1 + (round % 3));
      const answer = await cancel(campaign, sent).catch((error: unknown) => error);
      const result = await sent.result(SOON);
      if (result.state === 'cancelled') expect(answer).toMatchObject({ receipt: result.receipt });
      else expect(answer).toMatchObject({ code: 'operation-ended' });
      expect(await movedBy(campaign, sent.operationId)).toHaveLength(result.receipt.moved);
      expect(result.receipt.moved + (result.receipt.left ?? 0)).toBe(12);
    }
  });

  it('returns the same answer when it is sent twice at once and again later', async () => {
    const campaign = await seed();
    const sent = await reassign(campaign);
    await applied(sent, 3);
    const [one, two] = await Promise.all([cancel(campaign, sent), cancel(campaign, sent)]);
    expect(two).toEqual(one);
    expect(await cancel(campaign, sent)).toEqual(one);
  });

  it('is refused when the operation has ended, is unknown, or has an id that is not allowed', async () => {
    const campaign = await seed();
    const sent = await reassign(campaign, { count: 1 });
    await sent.result();
    await expect(cancel(campaign, sent)).rejects.toMatchObject({ code: 'operation-ended' });
    await expect(cancel({ ...campaign, campaignId: 'elsewhere' }, sent)).rejects.toMatchObject({
      code: 'unknown-operation',
    });
    await expect(
      harness.producer.cancel({ operationId: 'unknown', campaignId: campaign.campaignId }),
    ).rejects.toMatchObject({
      code: 'unknown-operation',
    });
    await expect(harness.producer.cancel({ operationId: 'no spaces', campaignId: 'c' })).rejects.toMatchObject({
      code: 'bad-request',
    });
  });

  it('ends a waiting claim, and its texter receives the conversations granted so far', async () => {
    const campaignId = await harness.seedCampaign(1, { selfAssign: { enabled: true } });
    await harness.seedConversations(campaignId, [{}, {}, {}]);
    const claimId = harness.newId('cl');
    const claim = { operationId: claimId, campaignId, texterId: 't1', count: 9, waitMs: 3_600_000 };
    const sent = await harness.producer.selfAssign(claim);
    await until('the claim to wait', () => harness.isWaiting(claimId));
    const { receipt } = await harness.producer.cancel({ operationId: claimId, campaignId });
    expect(receipt).toMatchObject({ moved: 3, asked: 9, shortBecause: 'stopped', left: 0 });
    expect(await sent.result(SOON)).toMatchObject({ outcome: 'created', receipt });
  });

  it('works from the command line, and the moves can be undone there', async () => {
    const campaign = await seed();
    const cli = new Cli(cliEnv(harness.config));
    const sent = await reassign(campaign);
    await applied(sent, 3);
    const ran = await cli.run(['cancel', sent.operationId, '--actor', 'a_lead']);
    const { receipt } = await rawOperation(harness, sent.operationId);
    expect(ran.out).toContain(`Operation ${sent.operationId} is cancelled.`);
    expect(ran.out).toContain(`${receipt?.left} more conversations had not been reached`);
    expect((await cli.run(['operation', sent.operationId])).out).toMatch(/cancelled by +a_lead/);
    expect(await cli.refusal(['cancel', sent.operationId + 'x'])).toMatchObject({ code: 'unknown-operation' });
    expect(await cli.json(['undo', sent.operationId, '--preview'])).toMatchObject({ moved: receipt?.moved });
    const undone = await cli.json<{ operationId: string }>(['undo', sent.operationId]);
    expect(undone).toMatchObject({ state: 'done', receipt: { moved: receipt?.moved, skipped: [] } });
    expect(await harness.loads(campaign.campaignId)).toEqual({ pool: CONVERSATIONS });
    expect(await cli.refusal(['cancel', undone.operationId, '--campaign', campaign.campaignId])).toMatchObject({
      code: 'operation-ended',
    });
  });
});
