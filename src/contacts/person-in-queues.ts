import { Queue, type Job, type JobType } from 'bullmq';
import { z } from 'zod';
import type { ErasedPerson, PersonInQueues } from './contact.ts';
import type { PersonText } from './person-text.ts';
import { withRedis, type QueueAddress, type RedisConnection } from '../queue/connection.ts';
import { CLAIMS_QUEUE, CONTROLS_QUEUE, OPERATIONS_QUEUE, PREVIEWS_QUEUE } from '../queue/job.ts';
import { readJobs } from '../queue/read-job.ts';
import { forgetSetAside } from '../queue/set-aside.ts';

/** In the order in which a job passes through them, so that a job that moves meanwhile is still found. */
const STATES: readonly JobType[] = ['wait', 'prioritized', 'delayed', 'active', 'failed', 'completed'];
const PAGE_SIZE = 500;
/** Fields of a job in Redis that contain the text of an error. */
const ERROR_FIELDS = ['failedReason', 'stacktrace'] as const;

/** Writes a field of a job that still exists. A key that was written after its removal would block its id. */
const SET_IF_EXISTS = `if redis.call('exists', KEYS[1]) == 1 then redis.call('hset', KEYS[1], ARGV[1], ARGV[2]) end`;

const withPhone = z.looseObject({ request: z.looseObject({ campaignId: z.string(), phone: z.string() }) });
const withReason = z.looseObject({ request: z.looseObject({ reason: z.string() }) });

/** Runs `work` over a Redis connection of its own. Throws when Redis cannot be reached. */
export function withPersonInQueues<Result>(
  { redisUrl, prefix }: QueueAddress,
  work: (queues: PersonInQueues) => Promise<Result>,
): Promise<Result> {
  return withRedis(redisUrl, (redis) => work(new RedisPersonInQueues(redis, prefix)));
}

/** Removes people from the jobs of all queues, whatever their state. */
export class RedisPersonInQueues implements PersonInQueues {
  private readonly redis: RedisConnection;
  private readonly prefix: string;

  constructor(redis: RedisConnection, prefix: string) {
    this.redis = redis;
    this.prefix = prefix;
  }

  async erase(person: ErasedPerson): Promise<void> {
    for (const name of [CONTROLS_QUEUE, OPERATIONS_QUEUE, CLAIMS_QUEUE, PREVIEWS_QUEUE]) {
      const queue = new Queue(name, { connection: this.redis, prefix: this.prefix });
      queue.on('error', () => undefined);
      try {
        for (const state of STATES) await this.eraseFromJobs(queue, state, person);
        await this.eraseFromEvents(queue, person.text);
      } finally {
        await queue.close();
      }
    }
    const { numbers, text } = person;
    const names = (entry: string): boolean => text.isIn(entry) || numbers.some((number) => entry.includes(number));
    await forgetSetAside(this.redis, this.prefix, names);
  }

  private async eraseFromJobs(queue: Queue, state: JobType, person: ErasedPerson): Promise<void> {
    for (let at = 0; ; at += PAGE_SIZE) {
      const page = await readJobs(queue, state, at, at + PAGE_SIZE - 1);
      if (page.length === 0) return;
      for (const job of page) await this.eraseFromJob(queue, job, person);
    }
  }

  private async eraseFromJob(queue: Queue, job: Job<unknown>, person: ErasedPerson): Promise<void> {
    const data = dataWithout(job.data, person);
    if (data !== undefined) await unlessRemoved(queue, job, () => job.updateData(data));
    const { id = '', failedReason, stacktrace } = job;
    const texts = { failedReason, stacktrace: stacktrace === null ? undefined : JSON.stringify(stacktrace) };
    for (const field of ERROR_FIELDS) {
      const text = texts[field];
      if (!text || !person.text.isIn(text)) continue;
      await this.redis.eval(SET_IF_EXISTS, 1, queue.toKey(id), field, person.text.without(text));
    }
  }

  /** The events of failed jobs contain their errors. A caller that missed its event reads the job. */
  private async eraseFromEvents(queue: Queue, text: PersonText): Promise<void> {
    const key = queue.toKey('events');
    for (let start = '-'; ;) {
      const page = await this.redis.xrange(key, start, '+', 'COUNT', PAGE_SIZE);
      const found = page.filter(([, fields]) => fields.some((field) => text.isIn(field))).map(([id]) => id);
      if (found.length > 0) await this.redis.xdel(key, ...found);
      const last = page.at(-1)?.[0];
      if (last === undefined || page.length < PAGE_SIZE) return;
      start = `(${last}`;
    }
  }
}

/** Returns the data without the person, or `undefined` when it does not name the person. */
function dataWithout(data: unknown, { campaignId, numbers, text, conversationId }: ErasedPerson): unknown {
  const byPhone = withPhone.safeParse(data).data;
  if (byPhone?.request.campaignId === campaignId && numbers.includes(byPhone.request.phone)) {
    // The job says the same by the id of the conversation.
    return { ...byPhone, request: { campaignId, conversationId } };
  }
  const reasoned = withReason.safeParse(data).data;
  if (!reasoned || !text.isIn(reasoned.request.reason)) return undefined;
  return { ...reasoned, request: { ...reasoned.request, reason: text.without(reasoned.request.reason) } };
}

async function unlessRemoved(queue: Queue, { id = '' }: Job, act: () => Promise<void>): Promise<void> {
  try {
    await act();
  } catch (error) {
    if ((await queue.getJob(id)) !== undefined) throw error;
  }
}
