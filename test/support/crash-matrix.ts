import { setTimeout as sleep } from 'node:timers/promises';
import { expect } from 'vitest';
import type { ClaimInput } from '../../src/claims/contract.ts';
import { CLAIMS_QUEUE } from '../../src/queue/job.ts';
import { audit } from './audit/audit.ts';
import type { Answer, SeededCampaign, SentRequest } from './audit/records.ts';
import { Harness, type Seeded } from './harness.ts';
import { outcomeOf } from './raw.ts';
import { sendRequest } from '../../src/producer/send-many.ts';
import type { AnyRequest } from './any-request.ts';
import { RawQueue } from './raw-queue.ts';
import { until } from './until.ts';
import { WorkerProcess } from './worker-process.ts';

/** Short times, so that the next worker continues soon, and slices of one batch. */
const SETTINGS = {
  BATON_LOCK_MS: '1000',
  BATON_STALLED_CHECK_MS: '300',
  BATON_SLICE_MS: '1',
  BATON_BATCH_CONVERSATIONS_MAX: '4',
};
/** Reconcile wakes the job of a claim whose worker was killed before it did. */
const NEXT_WORKER = {
  lockMs: 1_000,
  stalledCheckMs: 300,
  sliceMs: 1,
  batchConversationsMax: 4,
  reconcileEveryMs: 2_000,
};
const PRELOAD = './test/support/at-write.ts';
const RULES = { enabled: true, batchMax: 50, openMax: 60, repliesMax: null };
const RESULT = { waitMs: 60_000 };
const WRITE = /^place (.*)$/gm;
/** Long enough for the writes that a worker makes after its last answer. */
const LAST_WRITES_MS = 500;
/** How often a claim coordinator makes these writes depends on timing, so some runs do not reach a given one. */
const DEPENDS_ON_TIMING = /^(claimLease|publish)/;

interface Ids {
  readonly operationId: string;
  readonly campaignId: string;
}

export interface Scenario {
  readonly seeded: readonly Seeded[];
  /** Requests that are sent one after the other. A claim has ended, or waits, before the next request is sent. */
  readonly requests: readonly ((ids: Ids, conversationIds: readonly string[]) => AnyRequest | ClaimInput)[];
}

/** The writes and the result of a scenario whose worker was not killed. */
export interface UndisturbedRun {
  /** The names of all writes of the worker, in order. */
  readonly writes: readonly string[];
  readonly outcome: unknown;
}

/** One run of a scenario on a campaign of its own. */
class ScenarioRun {
  readonly harness: Harness;
  private readonly sent: (SentRequest & { readonly answers: Answer[] })[] = [];
  private readonly campaign: SeededCampaign;
  private readonly scenario: Scenario;

  private constructor(harness: Harness, campaign: SeededCampaign, scenario: Scenario) {
    this.harness = harness;
    this.campaign = campaign;
    this.scenario = scenario;
  }

  static async open(scenario: Scenario): Promise<ScenarioRun> {
    const harness = await Harness.open(NEXT_WORKER);
    const campaignId = await harness.seedCampaign(3, { selfAssign: RULES });
    const ids = await harness.seedConversations(campaignId, scenario.seeded);
    const assignees = new Map(ids.map((id, at) => [id, scenario.seeded[at]?.assigneeId ?? null]));
    return new ScenarioRun(harness, { campaignId, texterIds: ['t1', 't2', 't3'], rules: RULES, assignees }, scenario);
  }

  /** Sends all requests and resolves when all are answered. */
  async sendAll(worker: WorkerProcess): Promise<void> {
    const { campaignId, assignees } = this.campaign;
    const { producer } = this.harness;
    const results = [];
    for (const requestFor of this.scenario.requests) {
      const operationId = this.harness.newId('op');
      const request = requestFor({ operationId, campaignId }, [...assignees.keys()]);
      const answers: Answer[] = [];
      this.sent.push({ operationId, campaignId, answers });
      const sent = 'kind' in request ? await sendRequest(producer, request) : await producer.selfAssign(request);
      results.push(sent.result(RESULT).then((answer) => answers.push(answer)));
      if (!('kind' in request)) await this.settled(operationId, worker);
    }
    await Promise.all(results);
  }

  /** Returns everything that the run stored, without ids and times. */
  async outcome(): Promise<unknown> {
    const { violations, checked } = await audit(this.harness, [this.campaign], this.sent);
    expect(violations).toEqual([]);
    const { campaignId } = this.campaign;
    const outcomes = this.sent.map(({ operationId }) => outcomeOf(this.harness, { campaignId, operationId }));
    return { checked, outcomes: await Promise.all(outcomes) };
  }

  begin(env: Record<string, string>): WorkerProcess {
    return WorkerProcess.begin(this.harness, { ...SETTINGS, ...env }, { preload: PRELOAD });
  }

  /** Waits until the claim has ended, or its job sleeps, so that the next request does not share its round. */
  private async settled(operationId: string, worker: WorkerProcess): Promise<void> {
    const queue = new RawQueue(this.harness, CLAIMS_QUEUE);
    await until('the claim to end or to wait', async () => {
      const claim = await this.harness.context.stores.claims.find(operationId);
      if (!claim?.waiting || worker.hasEnded) return claim !== undefined;
      return (await queue.job(operationId))?.isDelayed();
    });
    await queue.close();
  }
}

export async function runUndisturbed(scenario: Scenario): Promise<UndisturbedRun> {
  const run = await ScenarioRun.open(scenario);
  const worker = run.begin({ AT_WRITE: 'list' });
  await run.sendAll(worker);
  await worker.kill();
  const outcome = await run.outcome();
  await run.harness.close();
  const { log } = await worker.gone();
  return { writes: [...log.matchAll(WRITE)].flatMap(([, write]) => write ?? []), outcome };
}

/** Kills the worker at a write and starts another one. Returns the outcome, which must be that of the undisturbed run. */
export async function runWithCrash(scenario: Scenario, write: string): Promise<unknown> {
  const run = await ScenarioRun.open(scenario);
  const worker = run.begin({ AT_WRITE: write });
  try {
    const answered = run.sendAll(worker);
    answered.catch(() => undefined);
    if (DEPENDS_ON_TIMING.test(write)) await diesOrIsKilled(worker, answered);
    else await until(`the worker to die at ${write}`, () => worker.hasEnded);
    expect((await worker.gone()).signal).toBe('SIGKILL');
    await run.harness.startWorker();
    await answered;
    return await run.outcome();
  } finally {
    await worker.kill();
    await run.harness.close();
  }
}

/** Kills the worker after its last answer if it did not reach the write at which it should die. */
async function diesOrIsKilled(worker: WorkerProcess, answered: Promise<void>): Promise<void> {
  await Promise.race([answered.then(() => sleep(LAST_WRITES_MS)), worker.gone()]);
  await worker.kill();
}
