import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { OperationDoc } from '../../src/mongo/documents.ts';
import type { Sent } from '../../src/producer/producer-port.ts';
import { Cli, cliEnv } from '../support/cli.ts';
import { Harness, type Seeded } from '../support/harness.ts';
import { blockMoves } from '../support/blocked-conversation.ts';
import { idsOf, rawBatches, rawConversations, rawOperation } from '../support/raw.ts';
import { until } from '../support/until.ts';

const BATCH = 5;
const CONVERSATIONS = 400;
/** Less than the half minute after which a snoozed job would look by itself. */
const SOON = { waitMs: 15_000 };

/** A campaign whose pool lies ready, in the order of selection. */
interface Scene {
  readonly campaignId: string;
  readonly ids: readonly string[];
}

describe('cancelling an operation', () => {
  let harness: Harness;
  beforeAll(async () => {
    harness = await Harness.open({ batchConversationsMax: BATCH, batchesInFlightMax: 1, sliceMs: 50 });
    await harness.startWorker({ operationConcurrency: 2 });
  });
  afterAll(() => harness.close());

  async function seed(): Promise<Scene> {
    const campaignId = await harness.seedCampaign(3, { selfAssign: { enabled: true } });
    const waiting: Seeded[] = Array.from({ length: CONVERSATIONS }, (_, at) => ({ waitedMs: (1_000 - at) * 1_000 }));
    return { campaignId, ids: await harness.seedConversations(campaignId, waiting) };
  }

  const deal = ({ campaignId }: Scene, more: { count?: number } = {}): Promise<Sent> =>
    harness.producer.reassign({
      operationId: harness.newId('op'),
      campaignId,
      from: 'pool',
      to: 'everyone',
      status: 'any',
      ...more,
    });
  const cancel = ({ campaignId }: Scene, { operationId }: Sent) =>
    harness.producer.cancel({ operationId, campaignId, actorId: 'a_lead', reason: 'wrong texters' });

  const applied = ({ operationId }: Sent, batches: number): Promise<unknown> =>
    until(`${batches} batches of ${operationId} to be applied`, async () => {
      const filter = { operationId, state: 'applied' } as const;
      return (await harness.context.database.batches.countDocuments(filter)) >= batches;
    });
  const inDatabase = (operationId: string, what: Partial<OperationDoc>): Promise<unknown> =>
    until(`${operationId} in the ledger`, () =>
      harness.context.database.operations.findOne({ _id: operationId, ...what }),
    );
  const noted = ({ operationId }: Sent): Promise<unknown> =>
    until(`${operationId} to be noted`, async () => (await rawOperation(harness, operationId)).cancellation);

  const movedBy = async ({ campaignId }: Scene, operationId: string): Promise<string[]> =>
    [...(await rawConversations(harness, campaignId))]
      .filter(([, { lastOperationId }]) => lastOperationId === operationId)
      .map(([id]) => id);

  it('stops it within the batch in hand: after the answer nothing moves, and every count is exact', async () => {
    const scene = await seed();
    const block = await blockMoves(harness, scene.ids[102] ?? '');
    const sent = await deal(scene);
    await applied(sent, 20);
    const cancelling = cancel(scene, sent);
    await noted(sent);
    await block.remove();
    const { state, receipt } = await cancelling;
    const after = await rawConversations(harness, scene.campaignId);
    const moved = await movedBy(scene, sent.operationId);
    // The batch in hand, and no other.
    expect([100, 105]).toContain(moved.length);
    expect(moved.sort()).toEqual(scene.ids.slice(0, moved.length).sort());
    expect(state).toBe('cancelled');
    expect(receipt).toMatchObject({
      selected: moved.length,
      moved: moved.length,
      left: CONVERSATIONS - moved.length,
      shortBecause: 'stopped',
    });
    // Whoever asked for it hears the same, and by then no job of it is left.
    expect(await sent.result(SOON)).toMatchObject({ outcome: 'created', state: 'cancelled', receipt });
    expect(await rawConversations(harness, scene.campaignId)).toEqual(after);
    const batches = await rawBatches(harness, sent.operationId);
    expect(idsOf(batches.filter((batch) => batch.state === 'applied').flatMap(({ moves }) => moves)).sort()).toEqual(
      moved,
    );
    expect(await rawOperation(harness, sent.operationId)).toMatchObject({
      cancellation: { by: 'a_lead', reason: 'wrong texters' },
    });
  });

  it('while it runs freely leaves no move after the answer', async () => {
    const scene = await seed();
    const sent = await deal(scene, { count: 350 });
    await applied(sent, 5);
    const { receipt } = await cancel(scene, sent);
    const after = await rawConversations(harness, scene.campaignId);
    expect(receipt).toMatchObject({ moved: (await movedBy(scene, sent.operationId)).length, asked: 350 });
    expect(receipt.left).toBe(350 - receipt.moved);
    await sent.result(SOON);
    expect(await rawConversations(harness, scene.campaignId)).toEqual(after);
  });

  it('that waits in line lets those behind it go on, and the one ahead is not disturbed', async () => {
    const scene = await seed();
    const block = await blockMoves(harness, scene.ids[12] ?? '');
    const ahead = await deal(scene, { count: 30 });
    await applied(ahead, 2);
    const [waiting, behind] = [await deal(scene), await deal(scene, { count: 10 })];
    for (const { operationId } of [waiting, behind]) await inDatabase(operationId, { state: 'accepted' });
    const { receipt } = await cancel(scene, waiting);
    expect(receipt).toMatchObject({ selected: 0, moved: 0 });
    expect(receipt.left).toBeGreaterThanOrEqual(CONVERSATIONS - 15);
    expect(await waiting.result(SOON)).toMatchObject({ state: 'cancelled' });
    await block.remove();
    expect(await ahead.result(SOON)).toMatchObject({ state: 'done', receipt: { moved: 30, left: null } });
    expect(await behind.result(SOON)).toMatchObject({ state: 'done', receipt: { moved: 10 } });
  });

  it('that runs gives its turn to the next at once', async () => {
    const scene = await seed();
    const block = await blockMoves(harness, scene.ids[12] ?? '');
    const running = await deal(scene);
    await applied(running, 2);
    const next = await deal(scene, { count: 7 });
    await inDatabase(next.operationId, { state: 'accepted' });
    const cancelling = cancel(scene, running);
    await noted(running);
    await block.remove();
    await cancelling;
    expect(await next.result(SOON)).toMatchObject({ receipt: { moved: 7 } });
  });

  it('that no worker has begun with keeps it from ever beginning, though its queue is full', async () => {
    const busy = await Promise.all([seed(), seed()]);
    const blocks = await Promise.all(busy.map(({ ids }) => blockMoves(harness, ids[1] ?? '')));
    const held = await Promise.all(busy.map((scene) => deal(scene)));
    for (const { operationId } of held) await inDatabase(operationId, { state: 'running' });
    const scene = await seed();
    const sent = await deal(scene, { count: 40 });
    const { receipt } = await cancel(scene, sent);
    expect(receipt).toMatchObject({ moved: 0, asked: 40, left: 40, shortBecause: 'stopped' });
    await Promise.all(blocks.map((block) => block.remove()));
    expect(await sent.result(SOON)).toMatchObject({ outcome: 'created', state: 'cancelled' });
    expect(await harness.loads(scene.campaignId)).toEqual({ pool: CONVERSATIONS });
    await Promise.all(held.map((each) => each.result()));
  });

  it('racing with its end, one of the two is told to everybody', async () => {
    for (let round = 0; round < 12; round += 1) {
      const campaignId = await harness.seedCampaign(2);
      const ids = await harness.seedConversations(
        campaignId,
        Array.from({ length: 12 }, () => ({})),
      );
      const scene = { campaignId, ids };
      const sent = await deal(scene);
      if (round % 2 === 1) await applied(sent, 1 + (round % 3));
      const answer = await cancel(scene, sent).catch((error: unknown) => error);
      const result = await sent.result(SOON);
      if (result.state === 'cancelled') expect(answer).toMatchObject({ receipt: result.receipt });
      else expect(answer).toMatchObject({ code: 'operation-ended' });
      expect(await movedBy(scene, sent.operationId)).toHaveLength(result.receipt.moved);
      expect(result.receipt.moved + (result.receipt.left ?? 0)).toBe(12);
    }
  });

  it('twice at once, and once more later, answers the same', async () => {
    const scene = await seed();
    const sent = await deal(scene);
    await applied(sent, 3);
    const [one, two] = await Promise.all([cancel(scene, sent), cancel(scene, sent)]);
    expect(two).toEqual(one);
    expect(await cancel(scene, sent)).toEqual(one);
  });

  it('that has ended, or that nobody knows, is refused', async () => {
    const scene = await seed();
    const sent = await deal(scene, { count: 1 });
    await sent.result();
    await expect(cancel(scene, sent)).rejects.toMatchObject({ code: 'operation-ended' });
    await expect(cancel({ ...scene, campaignId: 'elsewhere' }, sent)).rejects.toMatchObject({
      code: 'unknown-operation',
    });
    await expect(
      harness.producer.cancel({ operationId: 'nothing', campaignId: scene.campaignId }),
    ).rejects.toMatchObject({
      code: 'unknown-operation',
    });
    await expect(harness.producer.cancel({ operationId: 'no spaces', campaignId: 'c' })).rejects.toMatchObject({
      code: 'bad-request',
    });
  });

  it('a claim that waits for more answers its texter with what there was', async () => {
    const campaignId = await harness.seedCampaign(1, { selfAssign: { enabled: true } });
    await harness.seedConversations(campaignId, [{}, {}, {}]);
    const claimId = harness.newId('cl');
    const claim = { operationId: claimId, campaignId, texterId: 't1', count: 9, waitMs: 3_600_000 };
    const sent = await harness.producer.selfAssign(claim);
    await until('it to wait', () => harness.isWaiting(claimId));
    const { receipt } = await harness.producer.cancel({ operationId: claimId, campaignId });
    expect(receipt).toMatchObject({ moved: 3, asked: 9, shortBecause: 'stopped', left: 0 });
    expect(await sent.result(SOON)).toMatchObject({ outcome: 'created', receipt });
  });

  it('is told from the command line, and taken back there', async () => {
    const scene = await seed();
    const cli = new Cli(cliEnv(harness.config));
    const sent = await deal(scene);
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
    expect(await harness.loads(scene.campaignId)).toEqual({ pool: CONVERSATIONS });
    expect(await cli.refusal(['cancel', undone.operationId, '--campaign', scene.campaignId])).toMatchObject({
      code: 'operation-ended',
    });
  });
});
