import type { ClaimQueue } from '../src/claims/index.ts';
import { LIFT_OPT_OUT_JOB, liftOptOut, optOut, type OptOutAnswer, type PersonRequest } from '../src/contacts/index.ts';
import type { Context } from '../src/context.ts';
import type { Attempt } from './executor.ts';
import { PersonHandler } from './person-handler.ts';

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
