import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { requestHash } from '../../src/domain/requests.ts';
import { PREVIEWS_QUEUE } from '../../src/queue/job.ts';
import { parseRequest } from '../../src/operations/contract.ts';
import { sendRequest } from '../../src/producer/send-many.ts';
import { blockMoves } from '../support/blocked-conversation.ts';
import { resultOrCode } from '../support/any-request.ts';
import { RawQueue } from '../support/raw-queue.ts';
import { idsOf, rawBatches, rawConversations, rawOperation } from '../support/raw.ts';
import { ReconcileSetup } from '../support/reconcile-setup.ts';
import { until } from '../support/until.ts';

const RECONCILE_EVERY_MS = 300;
const LONG_MS = 3_600_000;

describe('Baton after Redis has lost all its data', () => {
  let setup: ReconcileSetup;
  beforeAll(async () => {
    setup = await ReconcileSetup.open({ reconcileEveryMs: RECONCILE_EVERY_MS });
    await setup.harness.startWorker();
    await setup.harness.startWorker();
  });
  afterAll(() => setup.close());

  /** Each conversation moved once, and the batches and the receipt agree. */
  async function expectExact(campaignId: string, operationId: string, count: number): Promise<void> {
    const docs = [...(await rawConversations(setup.harness, campaignId)).values()];
    const moves = docs.flatMap(({ _id, history }) =>
      history.filter((move) => move.operationId === operationId).map(() => _id.toHexString()),
    );
    expect(new Set(moves).size).toBe(moves.length);
    const { state, receipt } = await rawOperation(setup.harness, operationId);
    expect({ state, moved: receipt?.moved, selected: receipt?.selected }).toEqual({
      state: 'done',
      moved: count,
      selected: count,
    });
    const batches = await rawBatches(setup.harness, operationId);
    expect(batches.filter(({ state: each }) => each === 'planned' || each === 'dropped')).toEqual([]);
    expect(idsOf(batches.flatMap((batch) => batch.moves)).sort()).toEqual(moves.sort());
  }

  it('ends every stored operation and claim by itself and moves each conversation once', async () => {
    const { harness } = setup;
    const { stores } = harness.context;
    // A running operation, and one that waits for it.
    const busy = await setup.campaign(100);
    const block = await blockMoves(harness, busy.ids[32] ?? '');
    const [running, behind] = [setup.request(busy.campaignId, 60), setup.request(busy.campaignId, 30)];
    await sendRequest(harness.producer, running);
    await until('seven batches', async () => (await stores.batches.recent(running.operationId, 7)).length === 7);
    await sendRequest(harness.producer, behind);
    await until('the second operation to wait', async () =>
      (await setup.operations.job(behind.operationId))?.isDelayed(),
    );
    // An operation that a worker accepted before it died.
    const still = await setup.campaign(3);
    const to = { texterIds: ['t2'] as [string] };
    const one = { kind: 'reassign-one', operationId: harness.newId('op'), campaignId: still.campaignId, to } as const;
    const request = parseRequest({ ...one, conversationId: still.ids[0] });
    const none = { plan: null, receipt: null, error: null, cancellation: null, startedAt: null, endedAt: null };
    const accepted = { ...none, state: 'accepted', acceptedAt: new Date(), createdBySendId: 'test' } as const;
    const { operationId, campaignId } = one;
    await stores.operations.accept(
      {
        operationId,
        campaignId,
        request,
        requestHash: requestHash(request),
        ...accepted,
      },
      false,
    );
    // One that waits for more.
    const short = await setup.campaign(2);
    const claimId = harness.newId('cl');
    const wanted = { operationId: claimId, campaignId: short.campaignId, texterId: 't1', count: 5, waitMs: LONG_MS };
    await harness.producer.selfAssign(wanted);
    await until('a claim to wait', () => harness.isWaiting(claimId));

    await setup.emptyRedis();
    await block.remove();
    await harness.seedConversations(
      short.campaignId,
      Array.from({ length: 4 }, () => ({})),
    );
    await setup.ended(running.operationId, behind.operationId, operationId, claimId);
    await expectExact(busy.campaignId, running.operationId, 60);
    await expectExact(busy.campaignId, behind.operationId, 30);
    expect(await harness.loads(busy.campaignId)).toEqual({ t1: 30, t2: 30, t3: 30, pool: 10 });
    await expectExact(still.campaignId, operationId, 1);
    expect(await harness.loads(still.campaignId)).toEqual({ t2: 1, pool: 2 });
    expect(await harness.loads(short.campaignId)).toEqual({ t1: 5, pool: 1 });
    const versions = (await rawConversations(harness)).values();
    for (const { history, assignmentVersion } of versions) expect(history).toHaveLength(assignmentVersion);
    const [answer] = [await (await harness.producer.selfAssign(wanted)).result()];
    expect(answer).toMatchObject({ outcome: 'exists', receipt: { moved: 5, shortBecause: null } });
  });

  it('restores the schedule of the reconcile job, one pass at a time', async () => {
    await setup.emptyRedis();
    const { queue } = setup.reconciles;
    await until('the schedule to be restored', () => queue.getJobScheduler('reconcile'));
    expect(await queue.getGlobalConcurrency()).toBe(1);
    const { campaignId } = await setup.campaign(10);
    const asked = setup.request(campaignId, 10);
    await sendRequest(setup.harness.producer, asked);
    await setup.ended(asked.operationId);
    expect((await queue.getJobSchedulers()).map(({ key, every }) => [key, every])).toEqual([
      ['reconcile', RECONCILE_EVERY_MS],
    ]);
  });
});

describe('a wait for a preview', () => {
  it('does not receive the result of another preview after Redis has lost its data', async () => {
    const setup = await ReconcileSetup.open({});
    const { harness } = setup;
    const [one, other] = [await setup.campaign(3), await setup.campaign(5)];
    const preview = ({ campaignId }: { campaignId: string }) => {
      const asked = { operationId: harness.newId('op'), campaignId, from: 'pool', to: 'everyone' } as const;
      return harness.producer.preview({ kind: 'reassign', ...asked, status: 'any' }, { waitMs: 20_000 });
    };
    const previews = new RawQueue(harness, PREVIEWS_QUEUE);
    const lost = resultOrCode(preview(one));
    await until('the preview to be sent', async () => (await previews.queue.getWaitingCount()) === 1);
    await setup.emptyRedis();
    const asked = preview(other);
    await harness.startWorker();
    expect(await asked).toMatchObject({ selected: 5 });
    expect(await lost).toBe('queue-unavailable');
    await previews.close();
    await setup.close();
  });
});
