import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { CLAIMS_QUEUE } from '../../src/queue/names.ts';
import type { ClaimInput, Producer } from '../../src/producer/producer-port.ts';
import { createProducer } from '../../src/producer/producer.ts';
import { ClaimAudit, type Asked, type Told } from '../support/claim-audit.ts';
import { Harness, type Seeded } from '../support/harness.ts';
import { RawQueue } from '../support/raw-queue.ts';
import { Random } from '../support/random.ts';
import { send, type AnyRequest } from '../support/send.ts';
import { until } from '../support/until.ts';
import { WorkerProcess } from '../support/worker-process.ts';

const SEED = Number(process.env['BATON_FIRE_SEED'] ?? 1);
const TEXTERS = 200;
const CONVERSATIONS = 2_400;
const KILLS = 4;
/** Answers between two of them. */
const ANSWERS = 120;
/** What there must have been of each to call it a fire. */
const FIRE = { granting: 150, refused: 1, waited: 1, moves: 1_500 };
const RULES = { enabled: true, batchMax: 8, openMax: 20, repliesMax: 2 };
const SETTINGS = {
  BATON_LOCK_MS: '2000',
  BATON_STALLED_CHECK_MS: '1000',
  BATON_SLICE_MS: '200',
  BATON_BATCH_CONVERSATIONS_MAX: '50',
};
const RESULT = { waitMs: 60_000 };

/**
 * Two hundred texters ask for more from one pool, again and again, some twice at once; administrators move their work
 * meanwhile; and one worker process after the other is killed. Then everything is let end, and only the database is asked.
 */
describe(`two hundred texters, one pool, and kill -9 (seed ${SEED})`, () => {
  const random = new Random(SEED);
  const texterIds = Array.from({ length: TEXTERS }, (_, index) => `t${index + 1}`);
  const asked = new Map<string, Asked>();
  const overs = new Map<string, number>();
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
      await until('claims to be granted, refused and waiting, and enough to have moved', async () =>
        isFire((await auditNow()).counts),
      );
      stopped = true;
      await working;
      await until('no claim to wait any more', noneWaits);
    } finally {
      stopped = true;
      await Promise.all(workers.map((worker) => worker.kill()));
    }
    audit = await auditNow();
  });
  afterAll(async () => {
    await queue.close();
    await other.close();
    await harness.close();
  });

  const auditNow = (): Promise<ClaimAudit> =>
    ClaimAudit.of(harness, campaignId, { seeded, asked, overs, rules: RULES });

  const isFire = (counts: Record<keyof typeof FIRE, number>): boolean =>
    (Object.keys(FIRE) as (keyof typeof FIRE)[]).every((what) => counts[what] >= FIRE[what]);

  async function seed(): Promise<void> {
    campaignId = await harness.seedCampaign(TEXTERS, { selfAssign: RULES });
    const conversations: Seeded[] = Array.from({ length: CONVERSATIONS }, () => {
      const status = random.chance(0.9) ? 'not-started' : random.pick(['needs-reply', 'closed'] as const);
      const isHeld = status !== 'not-started' && random.chance(0.7);
      const assigneeId = isHeld ? random.pick(texterIds) : null;
      return { status, assigneeId, waitedMs: random.between(1, 500) * 1_000, optedOut: random.chance(0.05) };
    });
    const ids = await harness.seedConversations(campaignId, conversations);
    for (const [index, id] of ids.entries()) seeded.set(id, conversations[index]?.assigneeId ?? null);
  }

  /** A worker is killed as soon as the heir of the one before stands. */
  async function killOneByOne(workers: WorkerProcess[]): Promise<void> {
    for (let kill = 0; kill < KILLS; kill += 1) {
      const answers = answered();
      await until('texters to be answered again', () => answered() > answers + ANSWERS);
      const victim = kill % workers.length;
      await workers[victim]?.kill();
      workers[victim] = await WorkerProcess.start(harness, SETTINGS);
    }
  }

  const answered = (): number => [...asked.values()].filter(({ told }) => told.length > 0).length;

  async function noneWaits(): Promise<boolean> {
    const { claims } = harness.context.database;
    return (await claims.countDocuments({ campaignId, waiting: { $exists: true } })) === 0;
  }

  /** One texter's day: asks, is answered, and asks again; impatient ones ask twice, here and there. */
  async function texter(texterId: string): Promise<void> {
    while (!stopped) {
      const claimId = harness.newId('cl');
      const input: ClaimInput = {
        operationId: claimId,
        campaignId,
        texterId,
        ...(random.chance(0.8) && { count: random.between(1, 10) }),
        ...(random.chance(0.3) && { waitMs: random.between(1_000, 4_000) }),
      };
      const told: Told[] = [];
      asked.set(claimId, { input, told });
      const twin = random.chance(0.2) ? ask(other, input, told) : Promise.resolve();
      await Promise.all([ask(harness.producer, input, told), twin]);
      if (random.chance(0.2)) {
        if (random.chance(0.5)) await queue.forget(claimId);
        await ask(other, input, told);
      }
      await sleep(random.between(50, 600));
    }
  }

  async function ask(producer: Producer, input: ClaimInput, told: Told[]): Promise<void> {
    try {
      const answer = await (await producer.selfAssign(input)).result(RESULT);
      told.push({ at: Date.now(), answer });
    } catch (error) {
      const { code, message } = error as Error & { code: string };
      told.push({ at: Date.now(), answer: { code, message } });
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
          { kind: 'unassign', ...id, from, status, count },
          { kind: 'unassign', ...id, from, status, count },
          { kind: 'reassign', ...id, from, to, status, count: 30 },
          { kind: 'reassign', ...id, from: 'pool', to, status, count: 10 },
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
    const sent = await send(harness.producer, request);
    await sent.result(RESULT).then(
      () => overs.set(request.operationId, Date.now()),
      (error: Error & { code?: unknown }) => refusals.push(error.code),
    );
  }

  it('refuses by the campaign’s rules only, and fails nobody', () => {
    const codes = [...asked.values()].flatMap(({ told }) =>
      told.flatMap(({ answer }) => ('code' in answer ? [answer.code] : [])),
    );
    expect([...new Set(codes)].filter((code) => code !== 'open-max-reached' && code !== 'replies-first')).toEqual([]);
    expect(refusals).toEqual([]);
  });

  it('every conversation has one assignee, whom its moves explain, and none is lost', () => audit.checkAssignees());
  it('every move stands in the ledger once, and the ledger has no move that was not made', () =>
    audit.checkReceiptsAgainstHistories());
  it('claims take from the pool only, never what is opted out or started', () => audit.holdGrants());
  it('every claim has ended, and whoever asked with its id was told what the ledger says it got', () =>
    audit.holdAnswers());
  it('no claim passes a cap', () => audit.holdCaps());
  it('no claim that was to wait gives up before its time', () => audit.holdWaiting());

  it('what lies in the pool can all be claimed', async () => {
    const { conversations } = harness.context.database;
    const free = { campaignId, assigneeId: null, status: 'not-started', optedOut: false } as const;
    const inPool = (await conversations.find({ campaignId }).toArray()).filter(
      ({ assigneeId, status, optedOut }) => assigneeId === null && status === 'not-started' && !optedOut,
    );
    const found = await conversations.find(free, { hint: 'claimable_in_order' }).toArray();
    expect(found.map(({ _id }) => _id.toHexString()).sort()).toEqual(inPool.map(({ _id }) => _id.toHexString()).sort());
  });
});
