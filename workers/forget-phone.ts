import type { Job } from 'bullmq';
import { personJob } from '../src/contacts/index.ts';
import { JOB_VERSION } from '../src/queue/job.ts';

/**
 * The queue keeps an ended job for its answer, but it must not keep a phone number. If the worker dies before the job has
 * ended, the job runs again with the id of the conversation.
 */
export async function forgetPhone(job: Job, conversationId?: string): Promise<void> {
  const { success, data } = personJob.safeParse(job.data);
  if (success && data.request.phone === undefined) return;
  const campaignId = success ? data.request.campaignId : undefined;
  await job.updateData({ version: JOB_VERSION, request: { campaignId, conversationId } });
}
