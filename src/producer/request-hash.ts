import { createHash } from 'node:crypto';
import { z } from 'zod';
import type { ClaimRequest } from '../claims/claim.ts';
import type { OperationRequest } from '../operations/request.ts';
import { claimJob } from '../claims/claim-job.ts';
import { operationJob } from '../operations/operation-job.ts';

/** Two requests with one hash are the same request. Keys are sorted: their order is nobody's meaning. */
export function requestHash(request: OperationRequest | ClaimRequest): string {
  return createHash('sha256').update(canonical(request)).digest('base64url');
}

/** The request that a job carries; `undefined` when it carries none that can be read. */
export function requestOfJob(data: unknown): OperationRequest | ClaimRequest | undefined {
  const parsed = z.union([operationJob, claimJob]).safeParse(data);
  return parsed.success ? parsed.data.request : undefined;
}

export function hashOfJob(data: unknown): string | undefined {
  const request = requestOfJob(data);
  return request && requestHash(request);
}

function canonical(value: unknown): string {
  return JSON.stringify(value, (_key, inner: unknown) => {
    if (typeof inner !== 'object' || inner === null || Array.isArray(inner)) return inner;
    return Object.fromEntries(Object.entries(inner).sort(([a], [b]) => (a < b ? -1 : 1)));
  });
}
