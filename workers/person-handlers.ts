import type { Job } from 'bullmq';
import {
  parsePersonJob,
  personJob,
  type EraseAnswer,
  type OptOutAnswer,
  type PersonRequest,
  LIFT_OPT_OUT_JOB,
  liftOptOut,
  optOut,
  erase,
  RedisPersonInQueues,
} from '../src/contacts/index.ts';
import { isPermanent } from '../src/domain/errors.ts';
import { JOB_VERSION } from '../src/queue/job.ts';
import type { Attempt, Handler, Outcome } from './executor.ts';
import type { ClaimQueue } from '../src/claims/index.ts';
import type { Context } from '../src/context.ts';
import type { RedisConnection } from '../src/queue/connection.ts';

/** Handles a job that names a person, and removes the phone number from the job when it ends. */
export abstract class PersonHandler implements Handler {
  async handle(attempt: Attempt): Promise<Outcome> {
    const { job } = attempt;
    try {
      const answer = await this.change(attempt, parsePersonJob(job.data).request);
      await forgetPhone(job, answer.conversationIds[0]);
      return { kind: 'completed', result: answer };
    } catch (error) {
      if (isPermanent(error)) await forgetPhone(job);
      throw error;
    }
  }

  async onAttemptsExhausted({ job }: Attempt): Promise<void> {
    await forgetPhone(job);
  }

  protected abstract change(attempt: Attempt, request: PersonRequest): Promise<EraseAnswer | OptOutAnswer>;
}

/**
 * The queue keeps an ended job for its answer, but it must not keep a phone number. If the worker dies before the job has
 * ended, the job runs again with the id of the conversation.
 */
async function forgetPhone(job: Job, conversationId?: string): Promise<void> {
  const { success, data } = personJob.safeParse(job.data);
  if (success && data.request.phone === undefined) return;
  const campaignId = success ? data.request.campaignId : undefined;
  await job.updateData({ version: JOB_VERSION, request: { campaignId, conversationId } });
}

/** Opts people out of campaigns, and lifts opt-outs. */
export class OptOutHandler extends PersonHandler {
  private readonly context: Context;
  private readonly claims: ClaimQueue;

  constructor(context: Context, claims: ClaimQueue) {
    super();
    this.context = context;
    this.claims = claims;
  }

  protected async change({ job, log }: Attempt, request: PersonRequest): Promise<OptOutAnswer> {
    const isLifted = job.name === LIFT_OPT_OUT_JOB;
    const answer = isLifted ? await liftOptOut(this.context, request) : await optOut(this.context, request);
    const { campaignId, conversationIds, changed } = answer;
    log.info({ campaignId, conversationIds, changed }, isLifted ? 'opt-out lifted' : 'contact opted out');
    if (changed > 0) await this.wakeWaitingClaims(request);
    return answer;
  }

  /** A claim that waits can get the conversation again. Or its texter has fewer conversations now. */
  private async wakeWaitingClaims({ campaignId }: PersonRequest): Promise<void> {
    if (await this.context.stores.claims.hasWaiting(campaignId)) await this.claims.poolRefilled(campaignId);
  }
}

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
