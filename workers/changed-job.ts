import { z } from 'zod';
import { Refusal } from '../src/domain/errors.ts';
import { isClaim, type OperationOrClaim, type Stores } from '../src/operations/index.ts';
import { CLAIMS_QUEUE, JOB_VERSION, operationIdsOf } from '../src/queue/job.ts';
import type { Attempt, Outcome } from './executor.ts';

const withSendId = z.object({ sendId: z.string() });

/**
 * Repairs a job whose data was changed in Redis after its operation or claim was accepted. Its callers would be told that it
 * was refused, although it may have moved conversations. The job then runs again, as MongoDB has the operation. Returns
 * `undefined` for every other error, and for a job that asks for something else under the id of a known operation.
 */
export async function repairChanged(
  { job, log }: Attempt,
  error: unknown,
  stores: Stores,
): Promise<Outcome | undefined> {
  if (!(error instanceof Refusal) || (error.code !== 'bad-request' && error.code !== 'operation-conflict')) {
    return undefined;
  }
  const stored = await findStored(job.id ?? '', stores);
  if (!stored || isClaim(stored) !== (job.queueName === CLAIMS_QUEUE)) return undefined;
  const { createdBySendId: sendId, request } = stored;
  const { sendId: found } = withSendId.safeParse(job.data).data ?? {};
  if (error.code === 'operation-conflict' && found !== sendId) return undefined;
  const data = { version: JOB_VERSION, sendId, request };
  // A request that this version refuses would run again for ever.
  if (JSON.stringify(data) === JSON.stringify(job.data)) return undefined;
  log.warn({ code: error.code }, 'the data of a job was changed; its operation continues as MongoDB has it');
  await job.updateData(data);
  return { kind: 'requeued', delayMs: 0 };
}

async function findStored(jobId: string, { operations }: Stores): Promise<OperationOrClaim | undefined> {
  for (const operationId of operationIdsOf(jobId)) {
    const found = await operations.findOperationOrClaim(operationId);
    if (found) return found;
  }
  return undefined;
}
