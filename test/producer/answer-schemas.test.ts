import { randomUUID } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { Queue, type Job, type JobsOptions } from 'bullmq';
import { Redis } from 'ioredis';
import { afterAll, beforeAll, describe, expect, expectTypeOf, it } from 'vitest';
import { z } from 'zod';
import type * as types from '../../src/domain/answers.ts';
import type { Receipt } from '../../src/domain/receipt.ts';
import type { DeepReadonly } from '../../src/domain/requests.ts';
import type { StoredError } from '../../src/domain/stored-error.ts';
import type { MovesAnswer } from '../../src/operations/moves-job.ts';
import type * as schemas from '../../src/producer/answer-schemas.ts';
import { jobIdOf } from '../../src/queue/job.ts';
import { Harness, MIXED } from '../support/harness.ts';
import type { Same } from '../support/same-type.ts';
import { TRACEPARENT } from '../support/traceparent.ts';
import { until } from '../support/until.ts';

interface Definition {
  readonly 'x-baton': {
    readonly queue: string;
    readonly job: string;
    readonly options: JobsOptions;
    readonly returnValue: object;
    readonly progress?: object;
  };
}

const published = JSON.parse(readFileSync(new URL('../../job.schema.json', import.meta.url), 'utf8')) as {
  readonly $defs: Readonly<Record<string, Definition>>;
};

/** The definitions without permission for further fields, so that a field without a definition is found. */
const closed = JSON.parse(JSON.stringify(published.$defs), (_, value: unknown) => {
  const isObject = typeof value === 'object' && value !== null && 'properties' in value && 'type' in value;
  return isObject ? { additionalProperties: false, ...value } : value;
}) as object;

function matches(schema: object, value: unknown): unknown {
  const { error } = z.fromJSONSchema({ $defs: closed, ...schema } as z.core.JSONSchema.JSONSchema).safeParse(value);
  return error?.issues ?? 'matches';
}

/** Sends jobs as a program in another language would: with no more than job.schema.json and BullMQ. */
describe('what job.schema.json says about answers', () => {
  let harness: Harness;
  let redis: Redis;
  let campaignId: string;
  let pooled: string[];
  const queues: Queue[] = [];

  beforeAll(async () => {
    harness = await Harness.open();
    redis = new Redis(harness.config.queue.redisUrl, { maxRetriesPerRequest: null });
    campaignId = await harness.seedCampaign(2, { selfAssign: { enabled: true } });
    pooled = await harness.seedConversations(campaignId, MIXED);
    await harness.startWorker();
  });
  afterAll(async () => {
    await Promise.all(queues.map((queue) => queue.close()));
    redis.disconnect();
    await harness.close();
  });

  function definitionOf(name: string): Definition['x-baton'] {
    const definition = published.$defs[name];
    if (!definition) throw new Error(`job.schema.json has no ${name}`);
    return definition['x-baton'];
  }

  async function run(name: string, body: object, jobId: string = randomUUID()): Promise<Job> {
    const { queue: queueName, job, options } = definitionOf(name);
    const queue = new Queue(queueName, { connection: redis, prefix: harness.config.queue.prefix });
    queues.push(queue);
    await queue.add(job, { version: 1, ...body }, { ...options, jobId });
    return until(`the end of the job ${name}`, async () => {
      const found = (await queue.getJob(jobId)) as Job | undefined;
      return found?.finishedOn !== undefined && found;
    });
  }

  function runOperation(name: 'operation' | 'claim', request: { operationId: string }): Promise<Job> {
    const body = { sendId: randomUUID(), request: { campaignId, ...request } };
    return run(name, body, jobIdOf(request.operationId));
  }

  async function expectAnswer(name: string, job: Job): Promise<void> {
    expect(await job.getState(), `${name}: ${job.failedReason}`).toBe('completed');
    expect(matches(definitionOf(name).returnValue, job.returnvalue), name).toBe('matches');
  }

  it('is true of the return values and the progress of operations, and of what the database has of them', async () => {
    const [first, second] = pooled;
    const toFirst = { to: { texterIds: ['t1'] } };
    const bulk = {
      kind: 'reassign',
      operationId: 'bulk',
      from: 'pool',
      ...toFirst,
      status: 'any',
      count: 9,
      traceparent: TRACEPARENT,
    };
    const job = await runOperation('operation', bulk);
    await expectAnswer('operation', job);
    expect(job.progress).toMatchObject({ moved: expect.any(Number) as number });
    expect(matches(definitionOf('operation').progress ?? {}, job.progress)).toBe('matches');
    const list = {
      kind: 'reassign-list',
      operationId: 'list',
      conversations: [{ conversationId: first }, { conversationId: second }],
      to: { texterIds: ['t2'] },
    };
    await expectAnswer('operation', await runOperation('operation', list));
    await expectAnswer('find', await run('find', { operationId: 'bulk' }));
    await expectAnswer('moves', await run('moves', { request: { operationId: 'list', campaignId } }));
  });

  it('is true of the failure text of a refused operation, and of what the database has of it', async () => {
    const from = { from: 'pool', to: { texterIds: ['ghost'] }, status: 'any' };
    const job = await runOperation('operation', { kind: 'reassign', operationId: 'refused', ...from } as never);
    const [, json] = /^permanent (\{.*\})$/s.exec(job.failedReason) ?? [];
    expect(json, job.failedReason).toBeDefined();
    expect(matches({ $ref: '#/$defs/refusal' }, JSON.parse(json ?? ''))).toBe('matches');
    expect(JSON.parse(json ?? '')).toMatchObject({ code: 'unknown-texter' });
    expect(matches({ $ref: '#/$defs/refusal' }, { code: 'unknown-texter' })).not.toBe('matches');
    await expectAnswer('find', await run('find', { operationId: 'refused' }));
  });

  it('is true of claims, cancelled claims, previews and requests about persons', async () => {
    const claim = { kind: 'self-assign', operationId: 'claim', texterId: 't1', count: 1 };
    await expectAnswer('claim', await runOperation('claim', claim));
    await expectAnswer('find', await run('find', { operationId: 'claim' }));
    const waiting = runOperation('claim', { ...claim, operationId: 'waits', count: 99, waitMs: 600_000 } as never);
    await until('the claim to wait', () => harness.isWaiting('waits'));
    await expectAnswer('cancel', await run('cancel', { request: { operationId: 'waits', campaignId } }));
    await expectAnswer('claim', await waiting);
    await expectAnswer('cancelQueued', await run('cancelQueued', { request: { campaignId } }));
    const request = { kind: 'unassign', campaignId, from: 'everyone', status: 'any' };
    await expectAnswer('preview', await run('preview', { request }));
    for (const name of ['optOut', 'liftOptOut', 'erase']) {
      await expectAnswer(name, await run(name, { request: { campaignId, conversationId: pooled[0] } }));
    }
  });

  type Answer<Name extends keyof typeof schemas> = DeepReadonly<z.output<(typeof schemas)[Name]>>;

  it('is what the types say, which the compiler checks', () => {
    expectTypeOf<Same<Receipt, Answer<'receipt'>>>().toEqualTypeOf<true>();
    expectTypeOf<Same<StoredError, Answer<'refusal'>>>().toEqualTypeOf<true>();
    expectTypeOf<Same<types.Progress, Answer<'progress'>>>().toEqualTypeOf<true>();
    expectTypeOf<Same<types.OperationAnswer, Answer<'operationAnswer'>>>().toEqualTypeOf<true>();
    expectTypeOf<Same<types.ClaimAnswer, Answer<'claimAnswer'>>>().toEqualTypeOf<true>();
    expectTypeOf<Same<types.CancelAnswer, Answer<'cancelAnswer'>>>().toEqualTypeOf<true>();
    expectTypeOf<Same<types.CancelQueuedAnswer, Answer<'cancelQueuedAnswer'>>>().toEqualTypeOf<true>();
    expectTypeOf<Same<types.FoundOperation, Answer<'foundOperation'>>>().toEqualTypeOf<true>();
    expectTypeOf<Same<types.OptOutAnswer, Answer<'optOutAnswer'>>>().toEqualTypeOf<true>();
    expectTypeOf<Same<types.EraseAnswer, Answer<'eraseAnswer'>>>().toEqualTypeOf<true>();
    expectTypeOf<Same<MovesAnswer, Answer<'movesAnswer'>>>().toEqualTypeOf<true>();
    expectTypeOf<Same<types.Preview, Answer<'previewAnswer'>>>().toEqualTypeOf<true>();
  });
});
