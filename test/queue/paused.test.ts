import { Writable } from 'node:stream';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { createLogger } from '../../src/telemetry/logger.ts';
import { QueueWatch } from '../../workers/queue-watch.ts';
import { sendRequest } from '../../src/producer/send-many.ts';
import { Cli, cliEnv } from '../support/cli.ts';
import { ReconcileSetup } from '../support/reconcile-setup.ts';
import { until } from '../support/until.ts';

interface Doctor {
  readonly ok: boolean;
  readonly checks: readonly { readonly name: string; readonly outcome: string; readonly found: string }[];
}

describe('a queue that is paused or limited', () => {
  let setup: ReconcileSetup;
  let cli: Cli;
  beforeAll(async () => {
    setup = await ReconcileSetup.open({});
    await setup.harness.startWorker();
    cli = new Cli(cliEnv(setup.harness.config));
  });
  afterEach(async () => {
    const { queue } = setup.operations;
    await Promise.all([queue.resume(), queue.removeGlobalConcurrency(), queue.removeGlobalRateLimit()]);
    await setup.reconciles.queue.resume();
  });
  afterAll(() => setup.close());

  async function doctor(): Promise<Doctor> {
    return JSON.parse((await cli.run(['doctor', '--json'])).out) as Doctor;
  }

  it('is named by doctor, which fails for a paused queue and warns of a limit', async () => {
    const before = await doctor();
    expect(before.checks.find(({ name }) => name === 'queue settings')).toMatchObject({ outcome: 'ok' });
    await setup.reconciles.queue.pause();
    await setup.operations.queue.setGlobalConcurrency(3);
    await setup.operations.queue.setGlobalRateLimit(5, 1_000);
    const { ok, checks } = await doctor();
    expect(ok).toBe(false);
    expect(checks).toContainEqual(
      expect.objectContaining({ name: 'queue reconcile', outcome: 'fail', found: 'the queue is paused' }),
    );
    const found = 'the queue runs at most 3 jobs over all workers and starts at most 5 jobs in 1000 ms';
    expect(checks).toContainEqual(expect.objectContaining({ name: 'queue operations', outcome: 'warn', found }));
  });

  it('is listed by doctor with one worker for each worker process', async () => {
    const { checks } = await doctor();
    for (const queue of ['operations', 'claims']) {
      const check = checks.find(({ name }) => name === `queue ${queue}`);
      expect(check?.found).toMatch(/^1 worker, /);
    }
  });

  it('is named by the error of a caller whose wait is over', async () => {
    await setup.operations.queue.pause();
    const { campaignId } = await setup.campaign(10);
    const sent = await sendRequest(setup.harness.producer, setup.request(campaignId, 10));
    const waited = sent.result({ waitMs: 200 });
    await expect(waited).rejects.toMatchObject({ code: 'wait-timeout' });
    await expect(waited).rejects.toThrow('the queue operations is paused');
    await setup.operations.queue.resume();
    expect((await sent.result()).receipt.moved).toBe(10);
  });

  it('is named by a command that waits for its operation', async () => {
    await setup.operations.queue.pause();
    const { campaignId } = await setup.campaign(10);
    const args = ['reassign', campaignId, '--from', 'pool', '--to', 't1', '--status', 'any', '--wait', '5'];
    const ran = await cli.run(args);
    expect(ran.err).toContain('the queue operations is paused. Still waiting');
  });

  it('is named in the log of a worker when it is paused and when it is resumed', async () => {
    let log = '';
    const destination = new Writable({
      write: (line: Buffer, _encoding, done) => {
        log += line.toString();
        done();
      },
    });
    await setup.operations.queue.pause();
    const watch = new QueueWatch(
      ...([setup.redis, setup.harness.config.queue.prefix] as const),
      createLogger({ level: 'info' }, destination),
      () => undefined,
    );
    await until('the log to name the queue', () => log.includes('the queue operations is paused'));
    await setup.operations.queue.resume();
    await until('the log to say that it is resumed', () => log.includes('operations is no longer paused'));
    watch.close();
  });

  it('is not the only thing that doctor names: it lists the jobs that were set aside', async () => {
    const { queue } = setup.operations;
    await queue.pause();
    await queue.add('operation', {}, { jobId: 'op-damaged' });
    await setup.redis.hset(queue.toKey('op-damaged'), 'opts', '{"att');
    await queue.resume();
    await until('the job to be set aside', async () => (await setup.redis.exists(queue.toKey('op-damaged'))) === 0);
    const { checks } = await doctor();
    expect(checks.find(({ name }) => name === 'jobs set aside')).toMatchObject({
      outcome: 'warn',
      found: '1 job: op-damaged of operations has options that are not JSON',
    });
  });
});
