import { z } from 'zod';
import { parseClaimRequest } from '../../claims/index.ts';
import { count, texterId } from '../../domain/ids.ts';
import { required } from '../access.ts';
import type { App } from '../app-type.ts';
import { problems } from '../document.ts';
import { operation, operationHeaders } from '../operation-shapes.ts';
import { HEADERS_OF_SENDING, operationAnswers, operationIdOf, sendUnderKey } from '../send-operation.ts';
import type { HttpServices } from '../services.ts';
import { campaignParams } from '../shapes.ts';

const HOUR_MS = 3_600_000;
/** What a claim asks for, besides the texter. */
export const claimFields = {
  count: count.optional().describe("Default: the campaign's maximum for one claim."),
  waitMs: z
    .int()
    .min(1)
    .max(24 * HOUR_MS)
    .optional()
    .describe('How long the claim waits for more when the pool is short, in milliseconds. Default: it does not wait.'),
};
const claimBody = z
  .strictObject({ texterId: texterId.describe('The texter who asks for more.'), ...claimFields })
  .meta({ id: 'ClaimRequest', examples: [{ texterId: 't_kevin', count: 10 }] });

/** Claims on behalf of a texter, and the report that conversations came back to the pool. */
export function addClaimRoutes(app: App, services: HttpServices): void {
  const { producer } = services;
  app.post(
    '/v1/campaigns/:campaignId/claims',
    {
      config: { access: { for: 'key', scope: 'operations:write', chain: ['campaign'], sends: true } },
      schema: {
        operationId: 'claim',
        tags: ['Claims'],
        summary:
          'Give a texter more conversations from the pool, longest waiting first, within the rules of the campaign',
        params: campaignParams,
        headers: operationHeaders,
        body: claimBody,
        response: { ...operationAnswers(operation, ...HEADERS_OF_SENDING), ...problems(404, 409, 422) },
      },
    },
    (request, reply) => {
      const { campaignId } = required(request.resources.campaign);
      const claim = { ...request.body, operationId: operationIdOf(request), campaignId };
      return sendUnderKey(services, request, reply, {
        command: parseClaimRequest({ ...claim, kind: 'self-assign' }),
        send: () => producer.selfAssign(claim),
      });
    },
  );
  app.post(
    '/v1/campaigns/:campaignId/pool-refilled',
    {
      config: { access: { for: 'key', scope: 'operations:write', chain: ['campaign'] } },
      schema: {
        operationId: 'poolRefilled',
        tags: ['Claims'],
        summary: 'Serve the waiting claims, after another program has returned conversations to the pool',
        params: campaignParams,
        response: { 204: z.undefined().describe('A round will start.'), ...problems(404) },
      },
    },
    async (request, reply) => {
      await producer.poolRefilled(required(request.resources.campaign).campaignId);
      return reply.status(204).send();
    },
  );
}
