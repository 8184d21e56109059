import { expect, it } from 'vitest';
import { CLAIM_JOB, type ClaimInput } from '../../src/claims/contract.ts';
import { CLAIMS_QUEUE } from '../../src/queue/job.ts';
import type { ClaimResult } from '../../src/producer/producer-port.ts';
import { createProducer } from '../../src/producer/producer.ts';
import { createLogger } from '../../src/telemetry/logger.ts';
import { startService } from '../../workers/service.ts';
import { Harness, type Seeded } from '../support/harness.ts';
import { blockClaims, type Block } from '../support/blocked-conversation.ts';
import { describeWith, PLAIN_ADDRESSES } from '../support/needs.ts';
import { RawQueue } from '../support/raw-queue.ts';
import { rawConversations } from '../support/raw.ts';
import { proxiedMongo, TcpProxy } from '../support/tcp-proxy.ts';
import { until } from '../support/until.ts';
import { WorkerProcess } from '../support/worker-process.ts';

const RULES = { enabled: true, batchMax: 50, openMax: 60 };
const SETTINGS = { BATON_LOCK_MS: '2000', BATON_STALLED_CHECK_MS: '1000' };
/** A blocked round is repeated until the test removes the block, however slow the machine is. */
const PATIENT = { BATON_ROUND_REPEATED_FOR_MS: '60000' };
const REPLACEMENT = { lockMs: 2_000, stalledCheckMs: 1_000 };
const CONVERSATIONS = 40;
const TEXTERS = 6;
/** How many conversations all of them claim together. */
const CLAIMED_COUNT = 33;
/** What Redis says of the time to live of a key that it does not have. */
const NO_KEY = -2;

/** A pool, claims of six texters, and workers that a test starts and kills. */
class ClaimCrashTest {
  readonly harness: Harness;
  readonly queue: RawQueue;
  readonly campaignId: string;
  /** Oldest first. */
  readonly ids: readonly string[];
  readonly claims: readonly ClaimInput[];
  private readonly endings: (() => Promise<unknown>)[] = [];

  private constructor(harness: Harness, campaignId: string, ids: readonly string[]) {
    this.harness = harness;
    this.queue = new RawQueue(harness, CLAIMS_QUEUE);
    this.campaignId = campaignId;
    this.ids = ids;
    this.claims = Array.from({ length: TEXTERS }, (_, at) => {
      return { operationId: harness.newId('cl'), campaignId, texterId: `t${at + 1}`, count: 3 + at };
    });
  }

  static async run(conversation: Seeded, act: (test: ClaimCrashTest) => Promise<void>): Promise<void> {
    const harness = await Harness.open(REPLACEMENT);
    const campaignId = await harness.seedCampaign(TEXTERS, { selfAssign: RULES });
    const pool = Array.from({ length: CONVERSATIONS }, (_, at) => ({ ...conversation, waitedMs: CONVERSATIONS - at }));
    const test = new ClaimCrashTest(harness, campaignId, await harness.seedConversations(campaignId, pool));
    try {
      await act(test);
    } finally {
      for (const end of test.endings.reverse()) await end();
      await test.queue.close();
      await harness.close();
    }
  }

  async start(env: Record<string, string> = {}): Promise<WorkerProcess> {
    const worker = await WorkerProcess.start(this.harness, { ...SETTINGS, ...env });
    this.atEnd(() => worker.kill());
    return worker;
  }

  /** Starts a worker that a test can cut off from Redis, so that none of its later results arrives. */
  async startBehindProxy(env: Record<string, string> = {}): Promise<{ worker: WorkerProcess; proxy: TcpProxy }> {
    const proxy = await TcpProxy.before(this.harness.config.queue.redisUrl);
    this.atEnd(() => proxy.close());
    return { worker: await this.start({ ...env, REDIS_URL: proxy.url }), proxy };
  }

  atEnd(end: () => Promise<unknown>): void {
    this.endings.push(end);
  }

  /** Blocks every round with this claim until the block is removed. */
  blockRounds(claim: ClaimInput | undefined): Promise<Block> {
    return blockClaims(this.harness, this.campaignId, claim?.texterId ?? '');
  }

  /** A worker that renews the lease of the campaign has received it, so it serves a round without Redis. */
  async leaseRenewed(): Promise<void> {
    const key = `${this.harness.config.queue.prefix}:claims:lease:${this.campaignId}`;
    let before = NO_KEY;
    await until('the lease to be renewed', async () => {
      const left = await this.queue.redis.pttl(key);
      // The first lease is no renewal: the worker may not have learned of it yet.
      const isRenewed = before !== NO_KEY && left > before;
      before = left;
      return isRenewed;
    });
  }

  async storedCount(claims: readonly ClaimInput[]): Promise<number> {
    const ids = claims.map(({ operationId }) => operationId);
    return this.harness.context.database.claims.countDocuments({ _id: { $in: ids } });
  }

  /** Every conversation was granted once, and the stored claims equal the histories. */
  async expectGrantedOnce(results: readonly ClaimResult[]): Promise<void> {
    expect(results.flatMap(({ conversationIds }) => conversationIds).sort()).toEqual(
      this.ids.slice(0, CLAIMED_COUNT).sort(),
    );
    const docs = await rawConversations(this.harness, this.campaignId);
    for (const { operationId, conversationIds } of results) {
      const claim = await this.harness.context.stores.claims.find(operationId);
      expect(claim?.granted).toEqual(conversationIds);
      const moved = [...docs].filter(([, { history }]) => history.some((move) => move.operationId === operationId));
      expect(moved.map(([id]) => id).sort()).toEqual([...conversationIds].sort());
      expect(moved.map(([, doc]) => doc.assignmentVersion)).toEqual(conversationIds.map(() => 1));
    }
  }
}

describeWith(PLAIN_ADDRESSES)('a claim whose worker fails', { timeout: 120_000, concurrent: true }, () => {
  it('is answered with the stored list, each time it is sent, when the worker is killed before it answers', () =>
    ClaimCrashTest.run({}, async (test) => {
      const { harness, queue, claims } = test;
      const { worker, proxy } = await test.startBehindProxy(PATIENT);
      const block = await test.blockRounds(claims[0]);
      const sent = await Promise.all(claims.map((each) => harness.producer.selfAssign(each)));
      await until('the worker to have started all jobs', async () => (await queue.queue.getActiveCount()) === TEXTERS);
      await test.leaseRenewed();
      proxy.away();
      await block.remove();
      await until('some claims to be stored', async () => (await test.storedCount(claims)) > 0);
      await worker.kill();
      await harness.startWorker();
      const results = await Promise.all(sent.map((each) => each.result()));
      await test.expectGrantedOnce(results);
      const before = await harness.loads(test.campaignId);
      const other = createProducer(harness.config.queue);
      test.atEnd(() => other.close());
      for (const [at, claim] of claims.entries()) {
        // Redis has expired half of the jobs.
        if (at % 2 === 0) await queue.forget(claim.operationId);
        expect(await (await other.selfAssign(claim)).result()).toEqual({ ...results[at], outcome: 'exists' });
      }
      expect(await harness.loads(test.campaignId)).toEqual(before);
    }));

  it('is answered with the stored list when the worker to which it was forwarded is killed', () =>
    ClaimCrashTest.run({}, async (test) => {
      const { harness, queue } = test;
      const { prefix } = harness.config.queue;
      const { worker, proxy } = await test.startBehindProxy({ ...PATIENT, BATON_CLAIM_CONCURRENCY: '1' });
      const [local, ...rest] = test.claims;
      const [first, second] = [await test.blockRounds(local), await test.blockRounds(rest[0])];
      const sent = [await harness.producer.selfAssign(local as ClaimInput)];
      await until('the worker to have the lease', () => queue.redis.get(`${prefix}:claims:lease:${test.campaignId}`));
      await harness.startWorker();
      sent.push(...(await Promise.all(rest.map((each) => harness.producer.selfAssign(each)))));
      const forwarded = (): Promise<number> => queue.redis.llen(`${prefix}:claims:forwarded:${test.campaignId}`);
      await until('the other claims to be forwarded', async () => (await forwarded()) >= rest.length);
      await first.remove();
      await until('the forwarded claims to be taken', async () => (await forwarded()) === 0);
      proxy.away();
      await second.remove();
      await until('the forwarded claims to be stored', async () => (await test.storedCount(rest)) === rest.length);
      await worker.kill();
      await test.expectGrantedOnce(await Promise.all(sent.map((each) => each.result())));
    }));

  it('is completed by another worker when its worker is killed while it waits', () =>
    ClaimCrashTest.run({ assigneeId: 't1' }, async (test) => {
      const { harness, queue, campaignId } = test;
      const worker = await test.start();
      const claims = test.claims.map((each) => ({ ...each, waitMs: 3_600_000 }));
      const sent = await Promise.all(claims.map((each) => harness.producer.selfAssign(each)));
      await until('all claims to wait', async () => (await test.storedCount(claims)) === TEXTERS);
      await worker.kill();
      await harness.startWorker();
      const unassign = {
        operationId: harness.newId('op'),
        campaignId,
        from: { texterIds: ['t1'] },
        status: 'any',
      } as const;
      await (await harness.producer.unassign({ ...unassign, count: CONVERSATIONS })).result();
      const results = await Promise.all(sent.map((each) => each.result()));
      expect(results.map(({ receipt }) => receipt.moved)).toEqual(claims.map(({ count }) => count));
      expect((await harness.loads(campaignId))['pool']).toBe(CONVERSATIONS - CLAIMED_COUNT);
      expect(await queue.queue.getDelayedCount()).toBe(0);
    }));

  it('can be sent again with its operation id after its attempts were exhausted without a database', () =>
    ClaimCrashTest.run({}, async (test) => {
      const { harness, queue, claims } = test;
      const claim = claims[0] as ClaimInput;
      await harness.producer.selfAssign(claim);
      // The same job, with one attempt only.
      const made = await until('the job', () => queue.job(claim.operationId));
      await made.remove();
      const job = await queue.queue.add(CLAIM_JOB, made.data, { jobId: made.id ?? '', attempts: 1 });
      const { mongo, log } = harness.config;
      const { proxy, uri } = await proxiedMongo(mongo.uri);
      const config = { ...harness.config, mongo: { ...mongo, uri, serverSelectionTimeoutMs: 1_500 } };
      await queue.queue.pause();
      const service = await startService(config, createLogger(log));
      test.atEnd(() => service.close().then(() => proxy.close()));
      proxy.away();
      await queue.queue.resume();
      await until('the job to fail', () => job.isFailed());
      proxy.back();
      const result = await (await harness.producer.selfAssign(claim)).result();
      expect(result.conversationIds).toEqual(test.ids.slice(0, 3));
    }));
});
