import { setTimeout as sleep } from 'node:timers/promises';
import { expect } from 'vitest';
import type { ClaimInput } from '../../src/claims/contract.ts';
import { audit, type Answer, type AskedFor } from './audit.ts';
import type { SeededCampaign } from './audit-history.ts';
import { Harness, type Seeded } from './harness.ts';
import { send, type AnyRequest } from './send.ts';
import { traces } from './traces.ts';
import { until } from './until.ts';
import { WorkerProcess } from './worker-process.ts';

/** Short, so that an heir need not be waited for long; a slice is over with its first batch. */
const SETTINGS = {
  BATON_LOCK_MS: '1000',
  BATON_STALLED_CHECK_MS: '300',
  BATON_SLICE_MS: '1',
  BATON_BATCH_CONVERSATIONS_MAX: '4',
};
const HEIR = { lockMs: 1_000, stalledCheckMs: 300, sliceMs: 1, batchConversationsMax: 4 };
const PRELOAD = './test/support/at-write.ts';
const RULES = { enabled: true, batchMax: 50, openMax: 60, repliesMax: null };
const ANSWER = { waitMs: 60_000 };
const PLACE = /^place (.*)$/gm;
/** By then a worker has done what it does after its last answer. */
const REST_MS = 500;
/** How often a coordinator takes its turn and looks for more depends on what meets there: not every run passes all of them. */
const AT_DESK = /^(turn|publish)\b/;

interface Asked {
  readonly operationId: string;
  readonly campaignId: string;
}

/** What is asked for, one after the other; a claim is ended, or at rest, before the next. */
export interface Scenario {
  readonly seeded: readonly Seeded[];
  readonly asks: readonly ((asked: Asked, conversationIds: readonly string[]) => AnyRequest | ClaimInput)[];
}

/** A campaign on which a scenario is played by a worker that may die, and by its heir. */
class Stage {
  readonly harness: Harness;
  readonly asked: (AskedFor & { readonly told: Answer[] })[] = [];
  private readonly campaign: SeededCampaign;
  private readonly scenario: Scenario;

  private constructor(harness: Harness, campaign: SeededCampaign, scenario: Scenario) {
    this.harness = harness;
    this.campaign = campaign;
    this.scenario = scenario;
  }

  static async open(scenario: Scenario): Promise<Stage> {
    const harness = await Harness.open(HEIR);
    const campaignId = await harness.seedCampaign(3, { selfAssign: RULES });
    const ids = await harness.seedConversations(campaignId, scenario.seeded);
    const assignees = new Map(ids.map((id, at) => [id, scenario.seeded[at]?.assigneeId ?? null]));
    return new Stage(harness, { campaignId, texterIds: ['t1', 't2', 't3'], rules: RULES, assignees }, scenario);
  }

  /** Resolves when all are answered. Each run does the same up to where the worker dies, but for how its coordinator goes about it. */
  async ask(worker: WorkerProcess): Promise<void> {
    const { campaignId } = this.campaign;
    const answers = [];
    for (const make of this.scenario.asks) {
      const operationId = this.harness.newId('op');
      const request = make({ operationId, campaignId }, [...this.campaign.assignees.keys()]);
      const { producer } = this.harness;
      const told: Answer[] = [];
      this.asked.push({ id: operationId, campaignId, told });
      const sent = !('kind' in request) ? await producer.selfAssign(request) : await send(producer, request);
      answers.push(sent.result(ANSWER).then((answer) => told.push(answer)));
      if (!('kind' in request)) await until('the claim to be at rest', () => this.isAtRest(request, worker));
    }
    await Promise.all(answers);
  }

  /** What is left of it all, ids and clocks apart. */
  async left(): Promise<unknown> {
    const { violations, checked } = await audit(this.harness, [this.campaign], this.asked);
    expect(violations).toEqual([]);
    const each = this.asked.map(({ id }) => traces(this.harness, { ...this.campaign, operationId: id }));
    return { checked, each: await Promise.all(each) };
  }

  begin(env: Record<string, string>): WorkerProcess {
    return WorkerProcess.begin(this.harness, { ...SETTINGS, ...env }, { preload: PRELOAD });
  }

  /** One that waits has looked at the pool once more: that look must not be one with the next request's. */
  private async isAtRest(
    { operationId: claimId, campaignId, texterId }: ClaimInput,
    worker: WorkerProcess,
  ): Promise<boolean> {
    const { stores, database } = this.harness.context;
    const claim = await stores.claims.find(claimId);
    if (!claim?.waiting || worker.hasEnded) return claim !== undefined;
    const texter = await database.texters.findOne({ campaignId, texterId });
    return (texter?.claimRounds ?? 0) >= 2;
  }
}

export interface Undisturbed {
  /** Every place that the worker passed, in order. */
  readonly places: readonly string[];
  readonly left: unknown;
}

export async function playUndisturbed(scenario: Scenario): Promise<Undisturbed> {
  const stage = await Stage.open(scenario);
  const worker = stage.begin({ AT_WRITE: 'list' });
  await stage.ask(worker);
  await worker.kill();
  const left = await stage.left();
  await stage.harness.close();
  const { log } = await worker.gone();
  return { places: [...log.matchAll(PLACE)].flatMap(([, place]) => place ?? []), left };
}

/** A worker dies at a place, another takes over: what is left is what an undisturbed one leaves. */
export async function playWithCrash(scenario: Scenario, place: string): Promise<unknown> {
  const stage = await Stage.open(scenario);
  const worker = stage.begin({ AT_WRITE: place });
  try {
    const answered = stage.ask(worker);
    answered.catch(() => undefined);
    if (AT_DESK.test(place)) await dyingOr(answered, worker);
    else await until(`a worker to die at ${place}`, () => worker.hasEnded);
    expect((await worker.gone()).signal).toBe('SIGKILL');
    await stage.harness.startWorker();
    await answered;
    return await stage.left();
  } finally {
    await worker.kill();
    await stage.harness.close();
  }
}

/** A run that does not pass the place ends with all answered and the worker at rest: that is where it is killed then. */
async function dyingOr(answered: Promise<void>, worker: WorkerProcess): Promise<void> {
  await Promise.race([answered.then(() => sleep(REST_MS)), worker.gone()]);
  await worker.kill();
}
