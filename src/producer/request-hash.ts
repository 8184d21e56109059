import { requestHash } from '../domain/request-hash.ts';
import { z } from 'zod';
import { claimJob, type ClaimRequest } from '../claims/index.ts';
import { operationJob, type OperationRequest } from '../operations/index.ts';

/** The request that a job carries; `undefined` when it carries none that can be read. */
export function requestOfJob(data: unknown): OperationRequest | ClaimRequest | undefined {
  const parsed = z.union([operationJob, claimJob]).safeParse(data);
  return parsed.success ? parsed.data.request : undefined;
}

export function hashOfJob(data: unknown): string | undefined {
  const request = requestOfJob(data);
  return request && requestHash(request);
}
