import { describe, expect, it } from 'vitest';
import { z } from 'zod';
import { oncePerAnswer, serializerCompiler } from '../../src/http/shared-bodies.ts';

describe('the body of a shared answer', () => {
  let written = 0;
  const schema = z.object({ count: z.int().refine(() => (written += 1) > 0) });
  const serialize = serializerCompiler({ schema, method: 'GET', url: '/' });

  it('is made and written once, however many callers get the answer', () => {
    written = 0;
    const toBody = oncePerAnswer(({ total }: { readonly total: number }) => ({ count: total }));
    const answer = { total: 7 };
    expect(toBody(answer)).toBe(toBody(answer));
    expect([serialize(toBody(answer)), serialize(toBody(answer))]).toEqual(['{"count":7}', '{"count":7}']);
    expect(written).toBe(1);
    expect(serialize(toBody({ total: 8 }))).toBe('{"count":8}');
  });

  it('is written anew when it is a body of one caller', () => {
    written = 0;
    const body = { count: 1 };
    serialize(body);
    body.count = 2;
    expect([serialize(body), written]).toEqual(['{"count":2}', 2]);
  });
});
