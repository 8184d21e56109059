import { erase, parsePersonJob, RedisPersonInQueues } from '../src/contacts/index.ts';
import type { Context } from '../src/context.ts';
import { isPermanent } from '../src/domain/errors.ts';
import type { RedisConnection } from '../src/queue/connection.ts';
import type { Attempt, Handler, Outcome } from './executor.ts';
import { forgetPhone } from './forget-phone.ts';

/** Erases people from campaigns. */
export class EraseHandler implements Handler {
  private readonly context: Context;
  private readonly queues: RedisPersonInQueues;

  constructor(context: Context, redis: RedisConnection, prefix: string) {
    this.context = context;
    this.queues = new RedisPersonInQueues(redis, prefix);
  }

  async handle({ job, log }: Attempt): Promise<Outcome> {
    try {
      const { request } = parsePersonJob(job.data);
      const answer = await erase({ ...this.context, queues: this.queues }, request);
      const { campaignId, conversationIds, changed } = answer;
      log.info({ campaignId, conversationIds, changed }, 'contact erased');
      await forgetPhone(job, conversationIds[0]);
      return { kind: 'completed', result: answer };
    } catch (error) {
      if (isPermanent(error)) await forgetPhone(job);
      throw error;
    }
  }

  async onAttemptsExhausted({ job }: Attempt): Promise<void> {
    await forgetPhone(job);
  }
}
