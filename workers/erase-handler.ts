import { erase, RedisPersonInQueues, type EraseAnswer, type PersonRequest } from '../src/contacts/index.ts';
import type { Context } from '../src/context.ts';
import type { RedisConnection } from '../src/queue/connection.ts';
import type { Attempt } from './executor.ts';
import { PersonHandler } from './person-handler.ts';

/** Erases people from campaigns. */
export class EraseHandler extends PersonHandler {
  private readonly context: Context;
  private readonly queues: RedisPersonInQueues;

  constructor(context: Context, redis: RedisConnection, prefix: string) {
    super();
    this.context = context;
    this.queues = new RedisPersonInQueues(redis, prefix);
  }

  protected async change({ log }: Attempt, request: PersonRequest): Promise<EraseAnswer> {
    const answer = await erase({ ...this.context, queues: this.queues }, request);
    const { campaignId, conversationIds, changed } = answer;
    log.info({ campaignId, conversationIds, changed }, 'contact erased');
    return answer;
  }
}
