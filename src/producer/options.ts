import { z } from 'zod';
import { Refusal } from '../domain/errors.ts';
import { parseWith } from '../domain/requests.ts';
import { DEFAULT_QUEUE_PREFIX, QUEUE_PREFIX, QUEUE_PREFIX_RULE } from '../queue/job.ts';
import { parseRedisUrl } from '../queue/redis-address.ts';
import type { ProducerOptions } from './producer-port.ts';

const MUST_BE_FUNCTION = { error: 'must be a function' };

const producerOptions = z.strictObject({
  redisUrl: z.string({ error: 'must be an address such as redis://localhost:6379' }),
  prefix: z.string().regex(QUEUE_PREFIX, { error: QUEUE_PREFIX_RULE }).default(DEFAULT_QUEUE_PREFIX),
  databaseId: z.string().optional(),
  onError: z
    .custom<NonNullable<ProducerOptions['onError']>>((value) => typeof value === 'function', MUST_BE_FUNCTION)
    .default(() => () => undefined),
});

/** Checks the options of a producer. Throws a `bad-config` refusal, which contains no part of the address of Redis. */
export function checkedOptions(options: unknown): z.output<typeof producerOptions> {
  const checked = withCode('bad-config', () => parseWith(producerOptions, options));
  parseRedisUrl(checked.redisUrl);
  return checked;
}

function withCode<Result>(code: 'bad-config', check: () => Result): Result {
  try {
    return check();
  } catch (error) {
    if (!(error instanceof Refusal)) throw error;
    const message = error.message.replace(/^the request\b/, 'the argument of createProducer');
    throw new Refusal(code, { message, expected: error.expected, received: 'another value' });
  }
}
