import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { MongoCreditStore } from '../../src/campaigns/campaign-store.ts';
import type { Producer } from '../../src/producer/producer-port.ts';
import { createProducer } from '../../src/producer/producer.ts';
import { Harness } from '../support/harness.ts';
import { CampaignRun } from '../support/model/campaign-run.ts';
import type { Model } from '../support/model/model.ts';
import { campaignOf, step, type Sizes } from '../support/model/random-steps.ts';
import type { ModelTestSetup } from '../support/model/run-context.ts';
import type { CampaignSeed, Step } from '../support/model/steps.ts';
import { RawQueue } from '../support/raw-queue.ts';

const BATCH_MAX = 7;
/** Most campaigns need a few batches, and some need as many as an operation can have in flight. */
const SIZES = { textersMax: 8, conversationsMax: 120, stepsMax: 16 };
const SMALL_SIZES = { textersMax: 4, conversationsMax: 4, stepsMax: 2 };
const SEED = Number(process.env['BATON_MODEL_SEED'] ?? 1);
const RUNS = Number(process.env['BATON_MODEL_RUNS'] ?? 24);
/** A failure prints these paths with its seed. Together they repeat the smallest failing case at once. */
const PATH = process.env['BATON_MODEL_PATH'];
const REPLAY_PATH = process.env['BATON_MODEL_REPLAY_PATH'];
/** How many campaigns run at the same time, so that the workers serve several. */
const LANES = PATH === undefined ? 4 : 1;
const RUNS_PER_LANE = Math.ceil(RUNS / LANES);
const RUN_MS_MAX = 10_000;
/** After this time, the search for a smaller failing case ends with the smallest one found so far. */
const SHRINK_MS_MAX = 120_000;
const TIME_MS_MAX = RUNS * RUN_MS_MAX + SHRINK_MS_MAX;

/**
 * Random actions on random campaigns, alone and at the same time. Batches are small and slices short, so that two workers
 * often continue each other's operations. After each step every document is compared with an independent model.
 */
describe('a campaign after random actions', () => {
  let setup: ModelTestSetup;

  beforeAll(async () => {
    setup = await open();
  });
  afterAll(() => close(setup));

  const lanes = Array.from({ length: LANES }, (_, lane) => SEED + lane);

  it.concurrent.each(lanes)('equals the model (seed %i)', { timeout: TIME_MS_MAX }, async (seed) => {
    await fc.assert(property(setup, SIZES, REPLAY_PATH), {
      seed,
      numRuns: RUNS_PER_LANE,
      interruptAfterTimeLimit: TIME_MS_MAX - RUN_MS_MAX,
      ...(PATH !== undefined && { path: PATH }),
    });
  });
});

describe('the model test', { timeout: SHRINK_MS_MAX }, () => {
  let setup: ModelTestSetup;
  beforeAll(async () => {
    setup = await open();
  });
  afterAll(() => close(setup));

  it('finds the smallest failing case when credits are not read', async () => {
    const list = vi.spyOn(MongoCreditStore.prototype, 'list').mockResolvedValue([]);
    const { counterexample } = await fc.check(property(setup, SMALL_SIZES), { seed: SEED, numRuns: RUNS });
    list.mockRestore();
    const [campaign, steps] = counterexample ?? [];
    const shown = [...(steps ?? [])].map((command) => command.toString());
    expect(shown).toEqual([expect.stringContaining('"does":"reassign"')]);
    // Two targets and a conversation are needed, and perhaps a source, which is no target.
    expect(campaign?.paused.length).toBeLessThanOrEqual(3);
    expect(campaign?.conversations).toHaveLength(1);
  });
});

/** One step, in the form that fast-check can shrink and replay. */
class StepCommand implements fc.AsyncCommand<Model, CampaignRun> {
  private readonly step: Step;

  constructor(step: Step) {
    this.step = step;
  }

  check(): boolean {
    return true;
  }

  run(_model: Model, run: CampaignRun): Promise<void> {
    return run.take(this.step);
  }

  toString(): string {
    return fc.stringify(this.step);
  }
}

type Commands = Iterable<fc.AsyncCommand<Model, CampaignRun>>;

function property(
  setup: ModelTestSetup,
  { stepsMax: maxCommands, ...sizes }: Sizes & { readonly stepsMax: number },
  replayPath?: string,
): fc.IAsyncProperty<[CampaignSeed, Commands]> {
  const replay = replayPath === undefined ? {} : { replayPath };
  const commands = fc.commands([step.map((each) => new StepCommand(each))], { maxCommands, size: 'max', ...replay });
  return fc.asyncProperty(campaignOf(sizes), commands, async (campaign, steps) => {
    const run = await CampaignRun.open(setup, campaign);
    await fc.asyncModelRun(() => ({ model: run.model, real: run }), steps);
  });
}

async function open(): Promise<ModelTestSetup> {
  const harness = await Harness.open({ batchConversationsMax: BATCH_MAX, batchesInFlightMax: 3, sliceMs: 5 });
  await Promise.all([harness.startWorker(), harness.startWorker()]);
  const otherProducer: Producer = createProducer(harness.config.queue);
  return { harness, otherProducer, operations: new RawQueue(harness), batchMax: BATCH_MAX };
}

async function close({ harness, otherProducer, operations }: ModelTestSetup): Promise<void> {
  await operations.close();
  await otherProducer.close();
  await harness.close();
}
