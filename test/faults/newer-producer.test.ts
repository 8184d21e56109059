import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { OPERATION_JOB } from '../../src/operations/jobs.ts';
import { jobIdOf, JOB_VERSION } from '../../src/queue/job.ts';
import { Harness } from '../support/harness.ts';
import { createNewerRelease } from '../support/newer-release.ts';
import { RawQueue } from '../support/raw-queue.ts';
import { TRACEPARENT } from '../support/traceparent.ts';
import { until } from '../support/until.ts';
import { WorkerProcess } from '../support/worker-process.ts';

const NEWER = JOB_VERSION + 1;

describe('a producer of a newer release than the workers', () => {
  let harness: Harness;
  let queue: RawQueue;
  let campaignId: string;
  /** Kills the worker processes of a test, and removes their files. */
  const endings: (() => Promise<void>)[] = [];
  beforeAll(async () => {
    harness = await Harness.open();
    queue = new RawQueue(harness);
    campaignId = await harness.seedCampaign(2);
    await harness.seedConversations(campaignId, [{}, {}, {}, {}]);
  });
  afterEach(async () => {
    for (const end of endings.splice(0).reverse()) await end();
  });
  afterAll(async () => {
    await queue.close();
    await harness.close();
  });

  const start = async (env: NodeJS.ProcessEnv = {}, main?: string): Promise<WorkerProcess> => {
    const worker = await WorkerProcess.start(harness, env, main === undefined ? {} : { main });
    endings.push(() => worker.kill());
    return worker;
  };
  const startNewerRelease = async (): Promise<WorkerProcess> => {
    const release = await createNewerRelease();
    endings.push(release.remove);
    return start({}, release.main);
  };

  /** Sends a request past this release's producer, with the id and the version only: no options. */
  const send = async (version: number, more: object = {}): Promise<string> => {
    const operationId = harness.newId('op');
    const common = { kind: 'reassign', operationId, campaignId, from: 'pool', to: 'everyone', status: 'any', count: 1 };
    const request = { ...common, traceparent: TRACEPARENT, ...more };
    await queue.queue.add(OPERATION_JOB, { version, sendId: 's1', request }, { jobId: jobIdOf(operationId) });
    return operationId;
  };

  it('has its requests run by the first newer worker, without an attempt, and holds up no other request', async () => {
    const older = await start();
    const newer = await send(NEWER);
    await until('the older worker to see the job', () =>
      older.logText.includes('waits for a worker of a newer version'),
    );
    // An operation of the same campaign that was sent later, by a producer of the present release.
    const later = await send(JOB_VERSION);
    expect((await harness.producer.result(later)).receipt.moved).toBe(1);
    // It did not have to wait for the newer one.
    expect((await queue.job(later))?.attemptsStarted).toBe(1);
    await until('the job to have run more than once', async () => ((await queue.job(newer))?.attemptsStarted ?? 0) > 1);
    expect((await queue.job(newer))?.attemptsMade).toBe(0);
    const worker = await startNewerRelease();
    // As in a deployment. While both run, either may take the job after each pause.
    await older.tellToStop();
    expect(await older.exitCode()).toBe(0);
    await until('the newer worker to run the job', async () => (await queue.job(newer))?.finishedOn !== undefined);
    expect((await queue.job(newer))?.returnvalue).toMatchObject({ state: 'done', receipt: { moved: 1 } });
    expect(worker.logText).toContain(`"traceparent":"${TRACEPARENT}"`);
  });

  it('has its requests refused when no worker knew them until the time limit, and may send them again', async () => {
    await start({ BATON_NEWER_WAIT_MS: '1200' });
    const operationId = await send(NEWER);
    const refusal = { code: 'unsupported-version', received: String(NEWER) };
    await until('the job to be refused', async () => (await queue.job(operationId))?.finishedOn !== undefined);
    expect((await queue.job(operationId))?.failedReason).toContain(JSON.stringify(refusal.code));
    const request = { operationId, campaignId, from: 'pool', to: 'everyone', status: 'any', count: 1 } as const;
    const again = await harness.producer.reassign(request);
    expect((await again.result()).receipt.moved).toBe(1);
  });

  it('has an unknown field in a known version refused at once', async () => {
    await start();
    const operationId = await send(JOB_VERSION, { spreading: 'even' });
    await until('the job to be refused', async () => (await queue.job(operationId))?.finishedOn !== undefined);
    expect((await queue.job(operationId))?.failedReason).toContain('must not have the field');
    expect((await queue.job(operationId))?.attemptsStarted).toBe(1);
  });
});
