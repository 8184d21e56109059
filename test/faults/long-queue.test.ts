import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createProducer } from '../../src/producer/producer.ts';
import { Harness } from '../support/harness.ts';
import { until } from '../support/until.ts';
import { WorkerProcess } from '../support/worker-process.ts';

const OPERATIONS = 300;
const TEXTERS = 5;
const KILLS = 3;
const ENDED_BETWEEN_KILLS = 60;
const ENDED_WITHIN_MS = 120_000;
const SETTINGS = { BATON_LOCK_MS: '2000', BATON_STALLED_CHECK_MS: '1000', BATON_RECONCILE_EVERY_MS: '1000' };

describe('hundreds of operations that are sent to one campaign at once while workers are killed', () => {
  let harness: Harness;
  let workers: WorkerProcess[];

  beforeAll(async () => {
    harness = await Harness.open();
    workers = await Promise.all([1, 2].map(() => WorkerProcess.start(harness, SETTINGS)));
  });
  afterAll(async () => {
    await Promise.all(workers.map((worker) => worker.kill()));
    await harness.close();
  });

  it('all end, each once, and those of one producer in the order of sending', { timeout: 300_000 }, async () => {
    const { operations, conversations } = harness.context.database;
    const campaignId = await harness.seedCampaign(TEXTERS);
    await harness.seedConversations(
      campaignId,
      Array.from({ length: OPERATIONS }, () => ({})),
    );
    const other = createProducer(harness.config.queue);
    const all = { campaignId, from: 'pool', to: 'everyone', status: 'any', count: 1 } as const;
    const idsOf = (name: string): string[] =>
      Array.from({ length: OPERATIONS / 2 }, (_, at) => harness.newId(name + at));
    const [one, two] = [idsOf('a'), idsOf('b')];
    const send = async (producer: typeof other, ids: readonly string[]) => {
      const sent = [];
      for (const operationId of ids) sent.push(await producer.reassign({ operationId, ...all }));
      return sent;
    };
    const sent = (await Promise.all([send(harness.producer, one), send(other, two)])).flat();
    const answers = Promise.all(sent.map((each) => each.result({ waitMs: ENDED_WITHIN_MS })));
    answers.catch(() => undefined);
    const countEnded = (): Promise<number> => operations.countDocuments({ campaignId, state: 'done' });
    for (let kill = 0; kill < KILLS; kill += 1) {
      const enough = (await countEnded()) + ENDED_BETWEEN_KILLS;
      await until('more ended operations', async () => (await countEnded()) >= enough, ENDED_WITHIN_MS);
      const at = kill % workers.length;
      await workers[at]?.kill();
      workers[at] = await WorkerProcess.start(harness, SETTINGS);
    }
    for (const { receipt } of await answers) expect(receipt).toMatchObject({ moved: 1 });
    expect(await conversations.countDocuments({ campaignId, assignmentVersion: 1 })).toBe(OPERATIONS);
    const ran = await operations.find({ campaignId }, { sort: { startedAt: 1, sequence: 1 } }).toArray();
    expect(ran.map(({ sequence }) => sequence)).toEqual(ran.map((_, at) => at + 1));
    for (const ids of [one, two]) {
      expect(ran.flatMap(({ _id }) => (ids.includes(_id) ? [_id] : []))).toEqual(ids);
    }
    await other.close();
  });
});
