import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { FairPlaces } from '../../src/queue/fair-places.ts';
import { jobIdOf, JOB_BYTES_MAX } from '../../src/queue/job.ts';
import { Harness } from '../support/harness.ts';
import { RawQueue } from '../support/raw-queue.ts';

describe('the places of waiting jobs', () => {
  let harness: Harness;
  let operations: RawQueue;
  let places: FairPlaces;
  beforeAll(async () => {
    harness = await Harness.open();
    operations = new RawQueue(harness);
    places = new FairPlaces(operations.queue);
  });
  afterAll(async () => {
    await operations.close();
    await harness.close();
  });

  const key = (name: string): string => operations.queue.toKey(name);
  const placesKey = (): string => `${harness.config.queue.prefix}:operations-places`;
  /** Another producer may write the data of a job with spaces. */
  const add = async (campaignId: string, operationIds: readonly string[], more = ''): Promise<void> => {
    for (const operationId of operationIds) {
      const data = `{ "request" : { "campaignId" : "${campaignId}" ${more} } }`;
      const jobId = jobIdOf(operationId);
      await operations.redis.hset(key(jobId), 'name', 'operation', 'data', data, 'opts', '{}', 'timestamp', '1');
      await operations.redis.lpush(key('wait'), jobId);
    }
  };
  const numbered = (name: string, count: number): string[] => Array.from({ length: count }, (_, at) => `${name}${at}`);
  /** Takes jobs as a worker does, each after the waiting ones have got their places. */
  const take = async (count: number): Promise<string[]> => {
    const taken: string[] = [];
    for (let job = 0; job < count; job += 1) {
      await places.give();
      const id =
        (await operations.redis.rpop(key('wait'))) ?? (await operations.redis.zpopmin(key('prioritized')))[0] ?? '';
      taken.push(id.replace('op-', ''));
    }
    return taken;
  };
  const clear = () => operations.redis.del(key('wait'), key('prioritized'), placesKey(), key('pc'));

  it('let a campaign with one job wait for one job of a campaign with thousands', async () => {
    await add('c_large', numbered('l', 2_000));
    expect(await take(2)).toEqual(['l0', 'l1']);
    await add('c_small', ['s0']);
    await add('c_other', ['o0', 'o1']);
    expect(await take(7)).toEqual(['l2', 's0', 'o0', 'l3', 'o1', 'l4', 'l5']);
    await clear();
  });

  it('keep the order of one campaign, also for jobs that are added while others have places', async () => {
    await add('c_large', numbered('l', 5));
    const first = await take(2);
    await add('c_large', ['late']);
    expect([...first, ...(await take(4))]).toEqual([...numbered('l', 5), 'late']);
    expect(await operations.redis.zcard(key('prioritized'))).toBe(0);
  });

  it('let jobs that run again, and single moves, pass the jobs of their campaign that have not run', async () => {
    await add('c_large', numbered('l', 20));
    expect(await take(1)).toEqual(['l0']);
    await add('c_large', ['again']);
    await operations.redis.hset(key(jobIdOf('again')), 'ats', '1');
    await add('c_large', ['one'], ', "kind" : "reassign-one"');
    expect((await take(3)).sort()).toEqual(['again', 'l1', 'one']);
    await clear();
  });

  it('let no campaign starve while another one sends job after job', async () => {
    await add('c_large', numbered('l', 4));
    const taken: string[] = [];
    for (let round = 0; round < 8; round += 1) {
      await add('c_busy', [`b${round}`]);
      taken.push(...(await take(1)));
    }
    expect(taken.filter((id) => id.startsWith('l'))).toEqual(numbered('l', 4));
    await clear();
  });

  it('are given to damaged and oversized jobs too, and by a damaged set of places', async () => {
    await operations.redis.set(placesKey(), 'damaged');
    await operations.redis.lpush(key('wait'), 'gone', 'text', 'large');
    await operations.redis.set(key('text'), 'damaged');
    await operations.redis.hset(key('large'), 'data', `{"campaignId":"c_large","x":"${'x'.repeat(1_000_000)}`);
    await add('c_large', ['l0']);
    expect((await take(4)).sort()).toEqual(['gone', 'l0', 'large', 'text']);
    await operations.redis.set(key('prioritized'), 'damaged');
    await add('c_large', ['l1']);
    expect(await places.give()).toBe(0);
    await operations.redis.del(key('prioritized'), key('text'), key('large'));
    await clear();
  });

  it.each(['1.5', 'x', '007', '9223372036854775807'])('are given when the counter is %s', async (damaged) => {
    await operations.redis.set(key('pc'), damaged);
    await add('c_large', ['l0', 'l1']);
    expect(await take(2)).toEqual(['l0', 'l1']);
    await clear();
  });

  it.each(['nan', '-inf', '1e300', 'x'])('keep the order of a campaign whose last place is %s', async (damaged) => {
    await add('c_large', numbered('l', 3));
    const first = await take(1);
    for (const group of await operations.redis.hkeys(placesKey()))
      await operations.redis.hset(placesKey(), group, damaged);
    await add('c_large', ['l3']);
    await add('c_small', ['s0']);
    const others = await take(4);
    expect([...first, ...others].filter((id) => id.startsWith('l'))).toEqual(numbered('l', 4));
    expect(others.slice(0, 2)).toContain('s0');
    await clear();
  });

  it.each([
    ['lost', () => operations.redis.del(placesKey())],
    ['damaged', () => operations.redis.set(placesKey(), 'damaged')],
  ])('keep the order of each campaign when the last places are %s', async (_, lose) => {
    await add('c_large', numbered('l', 4));
    await add('c_other', numbered('o', 2));
    const first = await take(1);
    expect(await operations.redis.ttl(placesKey())).toBe(-1);
    await lose();
    await add('c_large', ['l4']);
    await places.give();
    await add('c_other', ['o2']);
    const taken = [...first, ...(await take(7))];
    const of = (name: string): string[] => taken.filter((id) => id.startsWith(name));
    expect([of('l'), of('o')]).toEqual([numbered('l', 5), numbered('o', 3)]);
    expect(await places.give()).toBe(0);
    expect(await operations.redis.exists(placesKey())).toBe(0);
  });

  it('are given without reading the data of a job that is too large to run', async () => {
    const padding = ', "x" : "' + 'x'.repeat(JOB_BYTES_MAX) + '"';
    await add('c_large', numbered('l', 4));
    await add('c_large', ['huge'], padding);
    expect((await take(2)).sort()).toEqual(['huge', 'l0']);
    await clear();
  });

  it('are not needed when one job waits', async () => {
    await add('c_large', ['l0']);
    expect(await places.give()).toBe(0);
    expect(await take(1)).toEqual(['l0']);
  });
});
