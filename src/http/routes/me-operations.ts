import { z } from 'zod';
import { parseClaimRequest } from '../../claims/index.ts';
import { STATUSES } from '../../domain/conversation.ts';
import { conversationId, COUNT_MAX } from '../../domain/ids.ts';
import { required } from '../access.ts';
import type { App } from '../app-type.ts';
import { texterOf } from '../authenticate.ts';
import { answer, problems } from '../document.ts';
import { operationHeaders } from '../operation-shapes.ts';
import { operationView } from '../operation-view.ts';
import { GIVE_BACK_REASONS, ownOperation, toOwnOperation } from '../own-operation.ts';
import {
  HEADERS_OF_SENDING,
  operationAnswers,
  operationIdOf,
  readOperation,
  sendOperation,
  sendUnderKey,
} from '../send-operation.ts';
import type { HttpServices } from '../services.ts';
import { operationParams } from '../shapes.ts';
import { claimFields } from './claims.ts';

/** As many as a person ticks on a screen. */
const LISTED_MAX = 200;

const ownClaim = z.strictObject(claimFields).meta({ id: 'OwnClaimRequest', examples: [{ count: 10 }] });
const reason = z.enum(GIVE_BACK_REASONS).describe('Stored with the operation.');
const some = z
  .strictObject({
    conversationIds: z
      .array(conversationId)
      .min(1)
      .max(LISTED_MAX)
      .refine((ids) => new Set(ids).size === ids.length, { error: 'must not list a conversation twice' })
      .meta({ uniqueItems: true, description: 'Those that the texter does not have are left alone.' }),
    reason,
  })
  .meta({ id: 'GiveBackSome' });
const all = z
  .strictObject({
    status: z
      .enum(['any', ...STATUSES])
      .describe('Which conversations. "any" means all, also those that the view hides.'),
    confirm: z
      .int()
      .min(0)
      .max(COUNT_MAX)
      .optional()
      .describe('How many the texter expects to give back: refused with both numbers when the texter has more.'),
    reason,
  })
  .meta({ id: 'GiveBackAll' });
const giveBack = z
  .union([some, all])
  .meta({ id: 'GiveBack', examples: [{ status: 'any', confirm: 0, reason: 'done-for-today' }] });

const ENDS = { ...operationAnswers(ownOperation, ...HEADERS_OF_SENDING), ...problems(409, 422) };

/** What a texter asks for: more conversations, and to give some or all back. Both are operations like those of apps. */
export function addMeOperationRoutes(app: App, services: HttpServices): void {
  addClaim(app, services);
  addGiveBack(app, services);
  addRead(app, services);
}

function addClaim(app: App, services: HttpServices): void {
  app.post(
    '/v1/me/claims',
    {
      config: { access: { for: 'texter' } },
      schema: {
        operationId: 'claimForMe',
        tags: ['Me'],
        summary: 'Ask for more conversations from the pool, within the rules of the campaign',
        headers: operationHeaders,
        body: ownClaim,
        response: ENDS,
      },
    },
    (request, reply) => {
      const { campaignId, texterId } = texterOf(request);
      const claim = { ...request.body, operationId: operationIdOf(request), campaignId, texterId };
      return sendUnderKey(services, request, reply, {
        command: parseClaimRequest({ ...claim, kind: 'self-assign' }),
        send: () => services.producer.selfAssign(claim),
      });
    },
  );
}

function addGiveBack(app: App, services: HttpServices): void {
  app.post(
    '/v1/me/give-back',
    {
      config: { access: { for: 'texter' } },
      schema: {
        operationId: 'giveBack',
        tags: ['Me'],
        summary: 'Return conversations of the texter to the pool: some by their ids, or all',
        headers: operationHeaders,
        body: giveBack,
        response: ENDS,
      },
    },
    (request, reply) => {
      const { texterId } = texterOf(request);
      const fields = { actorId: texterId, ...unassignOf(request.body, texterId) };
      return sendOperation(services, request, reply, fields);
    },
  );
}

/** The operation names the texter as the assignee, so that it moves nothing that another one has got meanwhile. */
function unassignOf(body: z.output<typeof giveBack>, texterId: string) {
  if (!('conversationIds' in body)) return { kind: 'unassign', from: { texterIds: [texterId] }, ...body };
  const { conversationIds, reason: why } = body;
  const conversations = conversationIds.map((id) => ({ conversationId: id, expectedAssigneeId: texterId }));
  return { kind: 'unassign-list', conversations, reason: why };
}

function addRead(app: App, services: HttpServices): void {
  app.get(
    '/v1/me/operations/:operationId',
    {
      config: { access: { for: 'texter', chain: ['operation'] } },
      schema: {
        operationId: 'getMyOperation',
        tags: ['Me'],
        summary: 'Read a claim of the texter, or an operation with which the texter gave conversations back',
        params: operationParams.pick({ operationId: true }),
        response: { 200: answer('The operation.', ownOperation), ...problems(404) },
      },
    },
    async (request) => {
      const found = required(request.resources.operation);
      return toOwnOperation((await readOperation(services, found.operationId)) ?? operationView(found));
    },
  );
}
