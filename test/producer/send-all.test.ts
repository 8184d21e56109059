import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { OperationInput } from '../../src/domain/inputs.ts';
import { Refusal } from '../../src/domain/errors.ts';
import { createProducer } from '../../src/producer/producer.ts';
import { newTraceparent, TRACEPARENT } from '../support/traceparent.ts';
import { Harness } from '../support/harness.ts';

describe('a producer', () => {
  let harness: Harness;
  let campaignId: string;
  beforeAll(async () => {
    harness = await Harness.open();
    await harness.startWorker();
    campaignId = await harness.seedCampaign(2);
  });
  afterAll(() => harness.close());

  const one = (count: number): OperationInput => ({
    ...{ kind: 'reassign', operationId: harness.newId('op'), campaignId },
    ...{ from: 'pool', to: 'everyone', status: 'any', count },
  });

  it('sends many requests in their order and returns what became of each', async () => {
    await harness.seedConversations(campaignId, [{}, {}, {}, {}]);
    const first = one(1);
    const requests = [first, one(2), { ...first, count: 3 } as OperationInput];
    const [a, b, c] = await harness.producer.sendAll(requests);
    const moved = await Promise.all([a, b].map(async (each) => (await each?.sent?.result())?.receipt.moved));
    expect(moved).toEqual([1, 2]);
    expect(c).toMatchObject({ operationId: first.operationId, error: { code: 'operation-conflict' } });
  });

  it('sends none of many requests when one of them cannot be read, and names its place', async () => {
    const good = one(1);
    const bad = { ...one(1), status: 'anything' } as unknown as OperationInput;
    const refused = await harness.producer.sendAll([good, bad]).catch((error: unknown) => error);
    expect(refused).toBeInstanceOf(Refusal);
    expect((refused as Refusal).message).toMatch(/^requests\[1\]: status must be/);
    await expect(harness.producer.get(good.operationId)).rejects.toMatchObject({ code: 'unknown-operation' });
  });

  it('previews without an operation id', async () => {
    const preview = harness.producer.preview({ kind: 'unassign', campaignId, from: 'everyone', status: 'any' });
    expect((await preview).selected).toBe(3);
  });

  it('passes the trace of a request on to the result, and a second sender receives the first trace', async () => {
    const request = {
      operationId: harness.newId('op'),
      campaignId,
      from: 'pool',
      to: 'everyone',
      status: 'any',
    } as const;
    const sent = await harness.producer.reassign({ ...request, traceparent: TRACEPARENT });
    expect((await sent.result()).traceparent).toBe(TRACEPARENT);
    const again = await harness.producer.reassign({ ...request, traceparent: newTraceparent() });
    expect(await again.result()).toMatchObject({ outcome: 'exists', traceparent: TRACEPARENT });
    expect(await harness.producer.get(request.operationId)).toMatchObject({ traceparent: TRACEPARENT });
    const claim = { operationId: harness.newId('op'), campaignId, texterId: 't1', traceparent: TRACEPARENT };
    await (await harness.producer.selfAssign(claim)).result().catch(() => undefined);
    expect(await harness.producer.get(claim.operationId)).toMatchObject({ traceparent: TRACEPARENT });
  });

  it('refuses a trace that is not a traceparent of W3C Trace Context', async () => {
    const request = {
      operationId: harness.newId('op'),
      campaignId,
      from: 'pool',
      to: 'everyone',
      status: 'any',
    } as const;
    for (const traceparent of [
      '',
      'abc',
      TRACEPARENT.toUpperCase(),
      TRACEPARENT.replace(/[1-9a-f]/g, '0'),
      `ff${TRACEPARENT.slice(2)}`,
    ]) {
      const refused = harness.producer.reassign({ ...request, traceparent });
      await expect(refused, traceparent).rejects.toThrow(/^traceparent must be a traceparent of W3C/);
    }
  });

  it.each([
    ['no options', undefined, 'the argument of createProducer is missing'],
    ['no address', {}, 'redisUrl is missing'],
    ['a misspelled option', { redisURL: 'redis://h' }, /redisUrl is missing|must not have the field "redisURL"/],
    ['an address without a scheme', { redisUrl: 'localhost:6379' }, /must start with redis:\/\/ or rediss:\/\//],
    ['an impossible prefix', { redisUrl: 'redis://h', prefix: 'a b' }, /^prefix must be 1 to 64 letters/],
    ['a listener that is no function', { redisUrl: 'redis://h', onError: 1 }, 'onError must be a function'],
  ])('refuses %s at once and says what is wrong', (_, options, message) => {
    expect(() => createProducer(options as never)).toThrow(message);
    expect(() => createProducer(options as never)).toThrow(expect.objectContaining({ code: 'bad-config' }));
  });
});
