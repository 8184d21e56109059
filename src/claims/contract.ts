import { z } from 'zod';
import { campaignId, count, operationId, texterId } from '../domain/ids.ts';
import { parseWith } from '../domain/parse.ts';
import type { ClaimRequest } from './claim.ts';

/** A texter who waits longer has gone home. */
const WAIT_MS_MAX = 24 * 60 * 60 * 1_000;

export const claimRequest = z.strictObject({
  kind: z.literal('self-assign'),
  operationId,
  campaignId,
  texterId,
  count: count.optional().describe('How many are wanted; without it, as many as the campaign gives at once.'),
  waitMs: z
    .int()
    .min(1)
    .max(WAIT_MS_MAX)
    .optional()
    .describe('How long to wait for more when the pool is short, in milliseconds.'),
});

export function parseClaimRequest(input: unknown): ClaimRequest {
  return parseWith(claimRequest, input);
}
