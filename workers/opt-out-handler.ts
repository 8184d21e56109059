import type { ClaimQueue } from '../src/claims/index.ts';
import { LIFT_OPT_OUT_JOB, liftOptOut, optOut, parsePersonJob, type PersonRequest } from '../src/contacts/index.ts';
import type { Context } from '../src/context.ts';
import { isPermanent } from '../src/domain/errors.ts';
import type { Attempt, Handler, Outcome } from './executor.ts';
import { forgetPhone } from './forget-phone.ts';

/** Opts people out of campaigns, and lifts opt-outs. */
export class OptOutHandler implements Handler {
  private readonly context: Context;
  private readonly claims: ClaimQueue;

  constructor(context: Context, claims: ClaimQueue) {
    this.context = context;
    this.claims = claims;
  }

  async handle(attempt: Attempt): Promise<Outcome> {
    try {
      return await this.change(attempt);
    } catch (error) {
      if (isPermanent(error)) await forgetPhone(attempt.job);
      throw error;
    }
  }

  async onAttemptsExhausted(attempt: Attempt): Promise<void> {
    await forgetPhone(attempt.job);
  }

  private async change(attempt: Attempt): Promise<Outcome> {
    const { job, log } = attempt;
    const { request } = parsePersonJob(job.data);
    const isLifted = job.name === LIFT_OPT_OUT_JOB;
    const answer = isLifted ? await liftOptOut(this.context, request) : await optOut(this.context, request);
    const { campaignId, conversationIds, changed } = answer;
    log.info({ campaignId, conversationIds, changed }, isLifted ? 'opt-out lifted' : 'contact opted out');
    if (isLifted && changed > 0) await this.wakeWaitingClaims(request);
    await forgetPhone(attempt.job, conversationIds[0]);
    return { kind: 'completed', result: answer };
  }

  /** A claim that waits can get the conversation again. */
  private async wakeWaitingClaims({ campaignId }: PersonRequest): Promise<void> {
    if (await this.context.stores.claims.firstWaiting(campaignId)) await this.claims.poolRefilled(campaignId);
  }
}
