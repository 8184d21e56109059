import type { Job } from 'bullmq';
import {
  parsePersonJob,
  personJob,
  type EraseAnswer,
  type OptOutAnswer,
  type PersonRequest,
} from '../src/contacts/index.ts';
import { isPermanent } from '../src/domain/errors.ts';
import { JOB_VERSION } from '../src/queue/job.ts';
import type { Attempt, Handler, Outcome } from './executor.ts';

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
