import type { FastifyRequest } from 'fastify';
import type { z } from 'zod';
import { WaitTimeout } from '../domain/errors.ts';
import { toStoredId } from '../domain/id-rules.ts';
import { parseRequest } from '../operations/index.ts';
import { required } from './access.ts';
import { callerOf } from './authenticate.ts';
import type { preview } from './operation-shapes.ts';
import { HttpProblem } from './problem.ts';
import type { OperationFields } from './send-operation.ts';
import type { HttpServices } from './services.ts';

/** A preview of a million conversations takes some seconds. */
const PREVIEW_MS_MAX = 25_000;
/** The route answers that no worker has answered before its own time is over. */
export const PREVIEW_ROUTE_MS_MAX = PREVIEW_MS_MAX + 5_000;
/** Nothing is stored under the id of a preview. */
const PREVIEW_ID = 'preview';

/** Asks a worker what an operation would do now. The server itself does not plan: a large plan would stop its other requests. */
export async function previewOf(
  { producer }: HttpServices,
  request: FastifyRequest,
  fields: OperationFields,
): Promise<z.output<typeof preview>> {
  const { organisationId } = callerOf(request);
  const { campaignId } = required(request.resources.campaign);
  const undoes = fields.undoes === undefined ? {} : { undoes: toStoredId(organisationId, fields.undoes) };
  const parsed = parseRequest({ ...fields, ...undoes, operationId: PREVIEW_ID, campaignId });
  try {
    return (await producer.preview(parsed as Parameters<typeof producer.preview>[0], {
      waitMs: PREVIEW_MS_MAX,
    })) as unknown as z.output<typeof preview>;
  } catch (error) {
    throw error instanceof WaitTimeout ? noWorker() : error;
  }
}

/** The problem of a request that no worker has answered. */
export function noWorker(): HttpProblem {
  return new HttpProblem('worker-timeout', {
    message: 'no worker has answered in time; `baton doctor` shows whether workers run',
    expected: 'the answer of a worker',
    received: 'no answer',
    headers: { 'retry-after': '5' },
  });
}
