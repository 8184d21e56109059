import { Queue, type Job, type JobType } from 'bullmq';
import { z } from 'zod';
import type { ErasedPerson, PersonInQueues } from './contact.ts';
import { changeFailureText } from '../domain/stored-error.ts';
import { withRedis, type QueueAddress, type RedisConnection } from '../queue/connection.ts';
import { CLAIMS_QUEUE, CONTROLS_QUEUE, OPERATIONS_QUEUE, PREVIEWS_QUEUE } from '../queue/job.ts';
import { readJobs } from '../queue/read-job.ts';
import { forgetSetAside } from '../queue/set-aside.ts';

/** In the order in which a job passes through them, so that a job that moves meanwhile is still found. */
const STATES: readonly JobType[] = ['wait', 'prioritized', 'delayed', 'active', 'failed', 'completed'];
const PAGE_SIZE = 500;

/** Writes a field of a job that still exists. A key that was written after its removal would block its id. */
const SET_IF_EXISTS = `if redis.call('exists', KEYS[1]) == 1 then redis.call('hset', KEYS[1], ARGV[1], ARGV[2]) end`;

/** Jobs that carry a text or a number name their campaign. The others are jobs of any campaign. */
const ofCampaign = z.union([
  z.looseObject({ request: z.looseObject({ campaignId: z.string() }) }).transform(({ request }) => request.campaignId),
  z.looseObject({ campaignId: z.string() }).transform(({ campaignId }) => campaignId),
]);
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
      const queue = new Queue(name, { connection: this.redis, prefix: this.prefix, skipVersionCheck: true });
      queue.on('error', () => undefined);
      try {
        for (const state of STATES) await this.eraseFromJobs(queue, state, person);
        await this.eraseFromEvents(queue, person);
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
    if (isOfOther(job, person)) return;
    const data = dataWithout(job.data, person);
    if (data !== undefined) await unlessRemoved(queue, job, () => job.updateData(data));
    const { id = '' } = job;
    const failedReason = (job as { readonly failedReason?: string }).failedReason ?? '';
    const stack = (job.stacktrace as readonly string[] | null) ?? [];
    const without = (text: string): string => withoutPerson(text, person);
    const changed = [
      ['failedReason', failedReason, without(failedReason)],
      ['stacktrace', JSON.stringify(stack), JSON.stringify(stack.map((text) => person.text.without(text)))],
    ] as const;
    for (const [field, before, after] of changed) {
      if (after !== before) await this.redis.eval(SET_IF_EXISTS, 1, queue.toKey(id), field, after);
    }
  }

  /** The events of failed jobs contain their errors. A caller that missed its event reads the job. */
  private async eraseFromEvents(queue: Queue, person: ErasedPerson): Promise<void> {
    const key = queue.toKey('events');
    for (let start = '-'; ;) {
      const page = await this.redis.xrange(key, start, '+', 'COUNT', PAGE_SIZE);
      const named = page.filter(([, fields]) => {
        const text = valueOf(fields, 'failedReason');
        return withoutPerson(text, person) !== text;
      });
      const found: string[] = [];
      for (const [id, fields] of named) {
        const job = (await queue.getJob(valueOf(fields, 'jobId'))) as Job | undefined;
        if (!job || !isOfOther(job, person)) found.push(id);
      }
      if (found.length > 0) await this.redis.xdel(key, ...found);
      const last = page.at(-1)?.[0];
      if (last === undefined || page.length < PAGE_SIZE) return;
      start = `(${last}`;
    }
  }
}

/** An entry of a stream is a list of names and values. */
function valueOf(fields: readonly string[], name: string): string {
  const at = fields.indexOf(name);
  return at < 0 ? '' : (fields[at + 1] ?? '');
}

function isOfOther({ data }: Job<unknown>, { campaignId }: ErasedPerson): boolean {
  const of = ofCampaign.safeParse(data).data;
  return of !== undefined && of !== campaignId;
}

/** A name can be a word of the JSON of a failure, such as "null", so the texts in it are changed one by one. */
function withoutPerson(text: string, { text: person }: ErasedPerson): string {
  return changeFailureText(text, (each) => person.without(each));
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
