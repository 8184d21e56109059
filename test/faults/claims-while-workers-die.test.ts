import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { CLAIMS_QUEUE } from '../../src/queue/job.ts';
import type { ClaimInput } from '../../src/claims/contract.ts';
import type { Producer } from '../../src/producer/producer-port.ts';
import { createProducer } from '../../src/producer/producer.ts';
import { sendRequest } from '../../src/producer/send-many.ts';
import { ClaimAudit, type ReceivedAnswer, type SentClaimRecord } from '../support/audit/claim-audit.ts';
import { Harness, type Seeded } from '../support/harness.ts';
import { RawQueue } from '../support/raw-queue.ts';
import { Random } from '../support/random.ts';
import type { AnyRequest } from '../support/any-request.ts';
import { until } from '../support/until.ts';
import { WorkerProcess } from '../support/worker-process.ts';

const SEED = Number(process.env['BATON_CLAIMS_SEED'] ?? 1);
const TEXTERS = 200;
const CONVERSATIONS = 2_400;
const KILLS = 4;
/** How many claims are answered between two kills. */
const ANSWERS_BETWEEN_KILLS = 120;
/** A machine with much other work answers a few claims in a second, and a killed worker may stop them for fifteen seconds. */
const PROGRESS_WITHIN_MS = 90_000;
/** The test ends when at least this much has happened. */
const ENOUGH = { granting: 150, refused: 1, waited: 1, moves: 1_500 };
type Counts = Record<keyof typeof ENOUGH, number>;
const RULES = { enabled: true, batchMax: 8, openMax: 20, repliesMax: 2 };
const SETTINGS = {
  BATON_LOCK_MS: '2000',
  BATON_STALLED_CHECK_MS: '1000',
  BATON_SLICE_MS: '200',
  BATON_BATCH_CONVERSATIONS_MAX: '50',
};
/** On a machine with much other work, four restarts of workers can keep one claim for more than a minute. */
const RESULT = { waitMs: 180_000 };
const WORKED_WITHIN_MS = 400_000;

/**
 * Two hundred texters claim from one pool, some of them twice at once, while administrators move their conversations and one
 * worker process after the other is killed. The tests check the database after everything has ended.
 */
describe(`Baton with two hundred texters and one pool while workers are killed (seed ${SEED})`, () => {
  const random = new Random(SEED);
  const texterIds = Array.from({ length: TEXTERS }, (_, index) => `t${index + 1}`);
  const sent = new Map<string, SentClaimRecord>();
  const endedAt = new Map<string, number>();
  const seeded = new Map<string, string | null>();
  let harness: Harness;
  let other: Producer;
  let queue: RawQueue;
  let campaignId: string;
  let audit: ClaimAudit;
  let stopped = false;

  beforeAll(async () => {
    harness = await Harness.open();
    other = createProducer(harness.config.queue);
    queue = new RawQueue(harness, CLAIMS_QUEUE);
    await seed();
    const workers = await Promise.all([1, 2].map(() => WorkerProcess.start(harness, SETTINGS)));
    try {
      const working = Promise.all([...texterIds.map(texter), bulk(), single()]);
      working.catch(() => undefined);
      await killOneByOne(workers);
      let found: Counts | undefined;
      await until(
        () => `at least ${JSON.stringify(ENOUGH)}; there are ${JSON.stringify(found)}`,
        async () => isEnough((found = (await auditNow()).counts)),
        PROGRESS_WITHIN_MS,
      );
      stopped = true;
      await working;
      await until('the end of every waiting claim', noneWaits);
    } finally {
      stopped = true;
      await Promise.all(workers.map((worker) => worker.kill()));
    }
    audit = await auditNow();
  }, WORKED_WITHIN_MS);
  afterAll(async () => {
    await queue.close();
    await other.close();
    await harness.close();
  });

  const auditNow = (): Promise<ClaimAudit> =>
    ClaimAudit.of(harness, campaignId, { seeded, sent, endedAt, rules: RULES });

  const isEnough = (counts: Counts): boolean =>
    (Object.keys(ENOUGH) as (keyof typeof ENOUGH)[]).every((what) => counts[what] >= ENOUGH[what]);

  async function seed(): Promise<void> {
    campaignId = await harness.seedCampaign(TEXTERS, { selfAssign: RULES });
    const conversations: Seeded[] = Array.from({ length: CONVERSATIONS }, () => {
      const status = random.chance(0.9) ? 'not-started' : random.pick(['needs-reply', 'closed'] as const);
      const isAssigned = status !== 'not-started' && random.chance(0.7);
      const assigneeId = isAssigned ? random.pick(texterIds) : null;
      return { status, assigneeId, waitedMs: random.between(1, 500) * 1_000, optedOut: random.chance(0.05) };
    });
    const ids = await harness.seedConversations(campaignId, conversations);
    for (const [index, id] of ids.entries()) seeded.set(id, conversations[index]?.assigneeId ?? null);
  }

  /** Kills one worker after the other, each after its predecessor's replacement has started. */
  async function killOneByOne(workers: WorkerProcess[]): Promise<void> {
    for (let kill = 0; kill < KILLS; kill += 1) {
      const before = answeredCount();
      const enough = before + ANSWERS_BETWEEN_KILLS;
      await until('more answers', () => answeredCount() > enough, PROGRESS_WITHIN_MS);
      const victim = kill % workers.length;
      await workers[victim]?.kill();
      workers[victim] = await WorkerProcess.start(harness, SETTINGS);
    }
  }

  const answeredCount = (): number => [...sent.values()].filter(({ answers }) => answers.length > 0).length;

  async function noneWaits(): Promise<boolean> {
    const { claims } = harness.context.database;
    return (await claims.countDocuments({ campaignId, waiting: { $exists: true } })) === 0;
  }

  /** Sends claim after claim, and some of them twice. */
  async function texter(texterId: string): Promise<void> {
    while (!stopped) {
      const operationId = harness.newId('cl');
      const input: ClaimInput = {
        operationId,
        campaignId,
        texterId,
        ...(random.chance(0.8) && { count: random.between(1, 10) }),
        ...(random.chance(0.3) && { waitMs: random.between(1_000, 4_000) }),
      };
      const answers: ReceivedAnswer[] = [];
      sent.set(operationId, { input, answers });
      const twin = random.chance(0.2) ? claim(other, input, answers) : Promise.resolve();
      await Promise.all([claim(harness.producer, input, answers), twin]);
      if (random.chance(0.2)) {
        if (random.chance(0.5)) await queue.forget(operationId);
        await claim(other, input, answers);
      }
      await sleep(random.between(50, 600));
    }
  }

  async function claim(producer: Producer, input: ClaimInput, answers: ReceivedAnswer[]): Promise<void> {
    try {
      const answer = await (await producer.selfAssign(input)).result(RESULT);
      answers.push({ at: Date.now(), answer });
    } catch (error) {
      const { code, message } = error as Error & { code: string };
      answers.push({ at: Date.now(), answer: { code, message } });
    }
  }

  async function bulk(): Promise<void> {
    while (!stopped) {
      const id = { operationId: harness.newId('op'), campaignId };
      const from = { texterIds: random.some(texterIds, 40) };
      const to = { texterIds: random.some(texterIds, 5) };
      const status = random.pick(['any', 'not-started'] as const);
      const count = random.between(20, 300);
      await operate(
        random.pick<AnyRequest>([
          { kind: 'unassign', ...id, from, status, count, confirm: count },
          { kind: 'unassign', ...id, from, status, count, confirm: count },
          { kind: 'reassign', ...id, from, to, status, count: 30 },
          { kind: 'reassign', ...id, from: 'pool', to, status, count: 10 },
          // Empties the pool, so that claims wait also on a machine where unassigning is faster than claiming.
          { kind: 'reassign', ...id, from: 'pool', to: { texterIds }, status: 'not-started' },
        ]),
      );
    }
  }

  async function single(): Promise<void> {
    const ids = [...seeded.keys()];
    while (!stopped) {
      const one = { operationId: harness.newId('op'), campaignId, conversationId: random.pick(ids) };
      const to = { texterIds: [random.pick(texterIds)] as [string] };
      await operate(random.chance(0.5) ? { kind: 'reassign-one', ...one, to } : { kind: 'unassign-one', ...one });
    }
  }

  const refusals: unknown[] = [];
  async function operate(request: AnyRequest): Promise<void> {
    const accepted = await sendRequest(harness.producer, request);
    await accepted.result(RESULT).then(
      () => endedAt.set(request.operationId, Date.now()),
      (error: Error & { code?: unknown }) => refusals.push(error.code),
    );
  }

  it('refuses claims only by the limits of the campaign, and fails none', () => {
    const codes = [...sent.values()].flatMap(({ answers }) =>
      answers.flatMap(({ answer }) => ('code' in answer ? [answer.code] : [])),
    );
    expect([...new Set(codes)].filter((code) => code !== 'open-max-reached' && code !== 'replies-first')).toEqual([]);
    expect(refusals).toEqual([]);
  });

  it('loses no conversation, and leaves each with the assignee to which its history leads', () =>
    audit.checkAssignees());
  it('stores each move exactly once, and no move that was not made', () => audit.checkReceiptsAgainstHistories());
  it('grants conversations from the pool only, and never an opted-out or started one', () => audit.checkGrants());
  it('ends every claim, and answers it with the stored result each time it is sent', () => audit.checkAnswers());
  it('grants no claim more than the limits of the campaign allow', () => audit.checkLimits());
  it('ends no waiting claim before its deadline', () => audit.checkWaiting());

  it('leaves every not-started conversation of the pool claimable', async () => {
    const { conversations } = harness.context.database;
    const free = { campaignId, assigneeId: null, status: 'not-started', optedOut: false } as const;
    const inPool = (await conversations.find({ campaignId }).toArray()).filter(
      ({ assigneeId, status, optedOut }) => assigneeId === null && status === 'not-started' && !optedOut,
    );
    const found = await conversations.find(free, { hint: 'claimable_in_order' }).toArray();
    expect(found.map(({ _id }) => _id.toHexString()).sort()).toEqual(inPool.map(({ _id }) => _id.toHexString()).sort());
  });
});
